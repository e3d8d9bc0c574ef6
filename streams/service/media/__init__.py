"""What an uploaded picture really is: found from its first bytes and blocks, without decoding pixels."""

from streams.service.media.formats import LIMITS, Format, Limits, MediaInfo, inspect, open_header, sniff

__all__ = ["LIMITS", "Format", "Limits", "MediaInfo", "inspect", "open_header", "sniff"]
