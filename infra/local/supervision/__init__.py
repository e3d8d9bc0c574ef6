"""Parts kept running: each by a thread of its own that starts, watches, restarts and stops its process."""
