"""Which order a service filled last, by what the registry of models says."""

from streams.cli.operations.registry import last_order
from streams.models.version_order import ORDER, ORDERED, order
from streams.runtime.models.champions import RegisteredVersion


def version(number: int, digits: list[int], filled: float | None = None) -> RegisteredVersion:
    """A version that was made for these digits, and perhaps was ordered again later."""
    tags = {ORDER: order("digit-train", {"digits": digits})}
    return RegisteredVersion(
        "digit-recognition", number, 100.0 * number, False, tags | ({ORDERED: str(filled)} if filled else {})
    )


def test_the_last_order_is_the_one_that_was_filled_last() -> None:
    """A model that was ordered again has the same content, and so the older version: it counts by when that was."""
    first, second = version(1, [0, 1]), version(2, [2, 3])
    assert last_order([first, second], "digit-train") == (second, second.tags[ORDER])
    again = version(1, [0, 1], filled=300.0)
    assert last_order([again, second], "digit-train") == (again, again.tags[ORDER])
    assert last_order([again, second], "cell-train") is None
