"""The partition of a key by Kafka's own rule (murmur2), which every client follows."""

import random
from collections.abc import Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2


def partition_of(key: str, count: int) -> int:
    """Compute the partition of a key, 0 to `count` - 1."""
    return _hash(key.encode()) % count


def choose(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """Choose a partition for a producer: by the key's hash over all; without a key, any partition that has a leader."""
    if key is None:
        return random.choice(available or partitions)  # spreads load only
    return partitions[_hash(key) % len(partitions)]


@lru_cache(maxsize=4096)
def _hash(key: bytes) -> int:
    """Hash a key, cached: this runs in Python, and ten or more records have the id of their run as key."""
    return int(murmur2(key) & 0x7FFFFFFF)
