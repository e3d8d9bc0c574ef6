"""The HTTP edge: submissions in, results and events out."""
