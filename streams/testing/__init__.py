"""The in-memory driver, and the tests that stand in pipeline files."""
