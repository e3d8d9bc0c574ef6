"""The services, one small file each, and the agents that serve them.

Public: `registry()`, `load(name)` and `UnknownService`.
"""

from agents.discovery import UnknownService, load, registry

__all__ = ["UnknownService", "load", "registry"]
