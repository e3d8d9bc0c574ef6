"""The kinds of nodes, one module each: how it is compiled, and what it does when a run reaches it."""
