"""Pipelines as pure values, and the runtime that carries them over Kafka."""
