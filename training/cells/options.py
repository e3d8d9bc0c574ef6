"""Options of a cell model: the number of varied copies of each cell."""

from collections.abc import Mapping

from training.part import BadOrder

OPTIONS = {"copies": "varied copies of each cell to learn from, 1 to 50 (default: 10)"}

_DEFAULT, _MOST = "10", 50


def copies(options: Mapping[str, str]) -> int:
    """Parse the number of copies. Raises BadOrder."""
    text = options.get("copies", _DEFAULT)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise BadOrder(f"copies: {text!r} is no number from 1 to {_MOST}")
    return int(text)
