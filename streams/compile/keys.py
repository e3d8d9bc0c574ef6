"""Sets of context keys as numbers: one bit a key, so that a union costs the same however many there are."""

from collections.abc import Iterable


class Keys:
    """Which bit stands for which key."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._names: list[str] = []

    def bit(self, key: str) -> int:
        """The set of one key."""
        if key not in self._bits:
            self._bits[key] = 1 << len(self._names)
            self._names.append(key)
        return self._bits[key]

    def bits(self, keys: Iterable[str]) -> int:
        """The set of these keys."""
        made = 0
        for key in keys:
            made |= self.bit(key)
        return made

    def names(self, bits: int) -> frozenset[str]:
        """The keys of a set."""
        found = []
        while bits:  # from the highest, so that the number gets shorter as it goes
            highest = bits.bit_length() - 1
            found.append(self._names[highest])
            bits ^= 1 << highest
        return frozenset(found)
