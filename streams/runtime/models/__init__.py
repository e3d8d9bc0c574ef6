"""Models of a running worker, and the registry of models."""
