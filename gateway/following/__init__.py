"""Following runs: their events from memory, log and history, and what they say."""
