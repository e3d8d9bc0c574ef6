"""The home of a stack: its ports, passwords and state, closed to other users."""
