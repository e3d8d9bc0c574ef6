"""Sets of context keys as numbers, one bit a key, so that a union is one operation."""

from collections.abc import Iterable


class Keys:
    """Assigns a bit to each key."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._names: list[str] = []

    def bit(self, key: str) -> int:
        """Return the set of one key."""
        if key not in self._bits:
            self._bits[key] = 1 << len(self._names)
            self._names.append(key)
        return self._bits[key]

    def bits(self, keys: Iterable[str]) -> int:
        """Return the set of these keys."""
        bits = 0
        for key in keys:
            bits |= self.bit(key)
        return bits

    def names(self, bits: int) -> frozenset[str]:
        """Return the keys of a set."""
        names = []
        while bits:  # from the highest bit, so that the number gets shorter
            highest = bits.bit_length() - 1
            names.append(self._names[highest])
            bits ^= 1 << highest
        return frozenset(names)
