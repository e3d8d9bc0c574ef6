"""Telling other systems over HTTP that a run has ended."""
