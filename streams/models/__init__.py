"""Models of services: bundles, which are folders with a card, and the champion, which is the bundle that serves."""

from streams.models.bundle import BadBundle, Bundle, check, prefix_of, read, version_of
from streams.models.champion import Champion

__all__ = ["BadBundle", "Bundle", "Champion", "check", "prefix_of", "read", "version_of"]
