"""The in-memory driver, and the tests that are in pipeline files."""
