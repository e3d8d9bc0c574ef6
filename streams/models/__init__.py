"""Models of services: bundles, which are folders with a card, and slots, where a service finds the one that serves."""

from streams.models.bundle import BadBundle, Bundle, check, prefix_of, read, version_of
from streams.models.champion import Champion
from streams.service.model_slot import Slot

__all__ = ["BadBundle", "Bundle", "Champion", "Slot", "check", "prefix_of", "read", "version_of"]
