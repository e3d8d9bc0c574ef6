"""What every process holds open, and what is sent over it."""
