"""The kinds of nodes, one module each: how it is built from its spec, and what it does when a run gets there."""
