"""Options of a loan model: the number of trees; dataset and epochs are fixed."""

from collections.abc import Mapping

from training.part import BadOrder

DATASET = "bank-marketing"
EPOCHS = 1

OPTIONS = {"trees": "how many, 10 to 2000, instead of as many as are shipped"}
_FEWEST, _MOST = 10, 2000


def trees(options: Mapping[str, str]) -> int | None:
    """Parse the number of trees; None if it is not ordered. Raises BadOrder."""
    text = options.get("trees")
    if text is None:
        return None
    if not (text.isdecimal() and _FEWEST <= int(text) <= _MOST):
        raise BadOrder(f"trees: {text} is not between {_FEWEST} and {_MOST}")
    return int(text)
