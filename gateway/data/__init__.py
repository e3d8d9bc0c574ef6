"""What was kept of runs: history, objects, predictions, notices, models."""
