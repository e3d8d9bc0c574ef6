"""Carrying a run: pure functions from messages to messages."""
