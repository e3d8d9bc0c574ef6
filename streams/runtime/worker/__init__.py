"""A worker process: its members, its tasks and their ends."""
