"""Calling other systems over HTTP: who may be called, from what is allowed to what is connected to, and what may come back."""
