"""Sets of keys as bits."""

from hypothesis import given
from hypothesis import strategies as st

from streams.compile.keys import Keys

SETS = st.frozensets(st.sampled_from("abcdefgh"))


@given(SETS, SETS)
def test_bits_are_sets(left: frozenset[str], right: frozenset[str]) -> None:
    """Unions, intersections and differences of bits are those of the sets."""
    keys = Keys()
    first, other = keys.bits(left), keys.bits(right)
    assert keys.names(first | other) == left | right
    assert keys.names(first & other) == left & right
    assert keys.names(first & ~other) == left - right
    assert keys.names(0) == frozenset()
