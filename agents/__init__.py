"""The services, one small file each, and the agents that serve them.

Public: `registry()`, `load(name)`, `preload(names)` and `UnknownService`.
"""

from agents.discovery import UnknownService, load, preload, registry

__all__ = ["UnknownService", "load", "preload", "registry"]
