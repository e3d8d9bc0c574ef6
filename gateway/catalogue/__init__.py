"""Pipelines and services: listing, changing and describing them."""
