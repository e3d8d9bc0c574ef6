"""Agents that serve no pipeline: history, notices, cleaning, drift and models."""
