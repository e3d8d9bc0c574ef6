"""Public data, dataset versions, corrections, and drift."""
