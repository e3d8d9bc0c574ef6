"""How a worker is doing: whether its members make progress, and what it publishes of that."""
