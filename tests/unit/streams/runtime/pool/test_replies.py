"""What a child says comes to its worker as it was, and nothing else does."""

import math
import pickle

import msgspec
import numpy as np
import pytest

from streams.runtime.pool.replies import Garbled, Reply, ReplyKind, pack, unpack
from streams.service.invocation import Invocation, Produced
from streams.service.progress_report import Progress

MADE = Invocation(
    {"image": {"sha256": "a"}, "scores": [1.5, None, True, "é"], "raw": b"\0"}, (Produced("a", "b/c", b"\0x"),)
)


@pytest.mark.parametrize(
    "message",
    [
        Progress("half", 0.5, {"loss": 0.25, "names": ["a"]}, 3),
        Reply(ReplyKind.VALUE),
        Reply(ReplyKind.VALUE, {"a": [1, -(2**63), 2**64 - 1, math.inf]}),
        Reply(ReplyKind.VALUE, MADE),
        Reply(
            ReplyKind.VALUE, [Reply(ReplyKind.VALUE, MADE), Reply(ReplyKind.REFUSED, reason="no", hint="send another")]
        ),
        Reply(ReplyKind.VALUE, []),
        Reply(ReplyKind.UNAVAILABLE, reason="r", unavailable="s3", after=2.5, stack="line"),
    ],
)
def test_messages_come_as_they_were(message: Progress | Reply) -> None:
    """All that a child may say."""
    assert unpack(pack(message)) == message


def test_numbers_of_other_libraries_are_numbers() -> None:
    """Services compute with NumPy's; the schema judges them as before."""
    given = {"a": np.float64(0.5), "b": np.float32(0.5), "c": np.int64(7), "d": np.bool_(True)}
    answer = unpack(pack(Reply(ReplyKind.VALUE, given)))
    assert isinstance(answer, Reply)
    assert answer.value == {"a": 0.5, "b": 0.5, "c": 7, "d": True}
    assert {type(one) for one in answer.value.values()} == {float, int, bool}


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**70, "\ud800", {"a": {(1, 2): object()}}, np.zeros(3)])
def test_an_output_that_is_no_data_is_a_failure(value: object) -> None:
    """The worker is told why."""
    answer = unpack(pack(Reply(ReplyKind.VALUE, value)))
    assert isinstance(answer, Reply)
    if answer.ending is ReplyKind.RAISED:
        assert answer.reason.startswith("its answer cannot be handed over")
    else:
        assert answer.value == sorted(value)  # type: ignore[call-overload]  # a set is a list


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        pickle.dumps(Reply(ReplyKind.VALUE)),
        msgspec.msgpack.encode(["end", "value"]),
        msgspec.msgpack.encode(["end", "value", ["made", {}, [["a", "b", "no bytes"]]], "", "", "", 0.0, ""]),
        msgspec.msgpack.encode(["other"]),
        b"\x91" * 100_000,
    ],
)
def test_a_malformed_reply_is_refused(data: bytes) -> None:
    """Of another form, cut short, or deeper than anything: an error, and nothing is made of it."""
    with pytest.raises(Garbled):
        unpack(data)
