"""A gateway in memory: its own code on a log, a registry, a bucket and stores that live in this process."""
