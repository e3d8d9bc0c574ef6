"""What was kept: history, objects, predictions."""
