"""Pipelines as their authors write them, and the topology that they compile to."""
