"""Telling people and other systems: what is told, by which way, and who may be told."""
