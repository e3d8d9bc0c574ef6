"""Following runs: their events from memory, log and history, and the state that they add up to."""
