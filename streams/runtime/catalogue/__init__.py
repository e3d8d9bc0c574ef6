"""Pipelines, their versions, services and their schemas, as topics tell them."""
