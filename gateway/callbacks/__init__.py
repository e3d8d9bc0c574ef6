"""Calling other systems back over HTTP when a run has ended."""
