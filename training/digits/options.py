"""Options of a digit model: its digits, and how many pictures of each it learns from."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.part import BadOrder

OPTIONS = {
    "digits": "the digits that it learns, such as 0,1,2; at least two (default: all ten)",
    "pictures": "at most so many pictures of each digit to learn from, at least 10: faster, and worse (default: all)",
}

_FEWEST = 10


@dataclass(frozen=True)
class Choice:
    """A model of digits that can be trained."""

    digits: tuple[int, ...]
    """Sorted, at least two."""
    pictures: int | None = None

    @property
    def name(self) -> str:
        """Models are named after the digits that they were trained on."""
        return f"mnist_model_{''.join(map(str, self.digits))}"

    @property
    def text(self) -> str:
        """The digits as text: `0,1,2`."""
        return ",".join(map(str, self.digits))

    @property
    def claims(self) -> str:
        """What the card claims, and what it excludes."""
        if len(self.digits) == 10:
            return "Reads every digit, 0 to 9."
        others = ", ".join(str(digit) for digit in range(10) if digit not in self.digits)
        return f"Reads {', '.join(map(str, self.digits))}. It does not know {others}, and reads each as one that it knows: always wrongly."


def choice(options: Mapping[str, str]) -> Choice:
    """Parse the options. Raises BadOrder."""
    text = options.get("digits", "0,1,2,3,4,5,6,7,8,9")
    if not text.strip():
        raise BadOrder("digits: none is given, and a model tells at least two apart; leave them out for all ten")
    words = [word.strip() for word in text.split(",")]
    if not all(len(word) == 1 and word in "0123456789" for word in words):
        raise BadOrder(f"digits: {text!r} is no list of digits such as 0,1,2")
    if len(set(words)) != len(words):
        raise BadOrder(f"digits: {text} names a digit twice")
    if len(words) < 2:
        raise BadOrder(f"digits: {text} is one digit, and a model tells at least two apart")
    most = options.get("pictures")
    if most is not None and (not most.isascii() or not most.isdigit() or int(most) < _FEWEST):
        raise BadOrder(f"pictures: {most!r} is no number of pictures; it must be {_FEWEST} or more")
    return Choice(tuple(sorted(map(int, words))), int(most) if most else None)
