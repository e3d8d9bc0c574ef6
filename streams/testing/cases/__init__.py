"""Tests in a pipeline's own file: read, checked like the rest of it, and run in memory as production would."""
