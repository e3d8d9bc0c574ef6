"""Which partition a key goes to: Kafka's own rule (murmur2), which every client follows."""

import random
from collections.abc import Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2


def partition_of(key: str, count: int) -> int:
    """The partition, of `count`, of a key."""
    return _hash(key.encode()) % count


def choose(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """A producer's partitioner: by the key's hash over all partitions; without a key, any that has a leader."""
    if key is None:
        return random.choice(available or partitions)  # spreads load, guards nothing
    return partitions[_hash(key) % len(partitions)]


@lru_cache(maxsize=4096)
def _hash(key: bytes) -> int:
    """Kept: the hash is computed in Python, and a run's records have its id as their key, ten times or more."""
    return int(murmur2(key) & 0x7FFFFFFF)
