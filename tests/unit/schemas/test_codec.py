"""Records as they cross Kafka."""

import asyncio
import json
from typing import Any

import pytest

from schemas.codec import Codec, frame, unframe, value_subject
from schemas.errors import Incompatible, Nonconforming, Undecodable, UnknownSchema
from schemas.memory import MemoryRegistry

FIELDS: list[dict[str, Any]] = [
    {"name": "digits", "type": {"type": "array", "items": "long"}, "minimum": 0, "maximum": 9}
]
SCHEMA = {"type": "record", "name": "millrace.Train", "fields": FIELDS}
NEWER = {**SCHEMA, "fields": [*FIELDS, {"name": "epochs", "type": "long", "default": 5}]}
BROKEN = {**SCHEMA, "fields": [*FIELDS, {"name": "epochs", "type": "long"}]}


def test_frame() -> None:
    """Confluent's wire format: a zero byte, the id in four bytes, the body."""
    assert frame(258, b"body") == b"\x00\x00\x00\x01\x02body"
    assert unframe(frame(2**32 - 1, b"")) == (2**32 - 1, b"")


@pytest.mark.parametrize("data", [b"", b"\x00\x00", b'{"digits": []}', b"\x01\x00\x00\x00\x01x"])
def test_not_framed(data: bytes) -> None:
    """Bytes in another format are refused with what they should be, and with the header that JSON needs."""
    with pytest.raises(Undecodable, match="content-type: application/json"):
        unframe(data)


def test_subject() -> None:
    """The subject is the one that a Java console producer uses unasked."""
    assert value_subject("pipeline.face-blur.requests") == "pipeline.face-blur.requests-value"


def test_old_records_meet_a_new_reader() -> None:
    """A record is read with its own schema and given as the reader's, in both directions of time."""

    async def scenario() -> None:
        codec = Codec(MemoryRegistry())
        old = await codec.encode("s", SCHEMA, {"digits": [1]})
        new = await codec.encode("s", NEWER, {"digits": [1], "epochs": 7})
        assert old[:5] != new[:5]
        assert await codec.decode(old) == {"digits": [1]}
        assert await codec.decode(old, NEWER) == {"digits": [1], "epochs": 5}
        assert await codec.decode(new, SCHEMA) == {"digits": [1]}

    asyncio.run(scenario())


def test_an_incompatible_schema_is_refused() -> None:
    """A subject does not take a schema that cannot read its older records; the reason names the field."""

    async def scenario() -> None:
        codec = Codec(MemoryRegistry())
        await codec.encode("s", SCHEMA, {"digits": []})
        with pytest.raises(Incompatible, match="epochs") as caught:
            await codec.encode("s", BROKEN, {"digits": [], "epochs": 1})
        assert caught.value.subject == "s"
        assert await codec.encode("another", BROKEN, {"digits": [], "epochs": 1})

    asyncio.run(scenario())


def test_unknown_id() -> None:
    """A record whose schema id nobody gave out is refused for good."""
    with pytest.raises(UnknownSchema, match="99"):
        asyncio.run(Codec(MemoryRegistry()).decode(frame(99, b"")))


def test_the_public_edge() -> None:
    """A stranger may send JSON or Avro; both get defaults, and bounds hold for both."""

    async def scenario() -> None:
        codec = Codec(MemoryRegistry())
        good = await codec.encode("s", SCHEMA, {"digits": [3]})
        bad = await codec.encode("s", SCHEMA, {"digits": [3, 12]})
        assert await codec.accept(good, NEWER) == {"digits": [3], "epochs": 5}
        assert await codec.accept(b'{"digits": [3]}', NEWER, "Application/JSON; charset=utf-8") == {
            "digits": [3],
            "epochs": 5,
        }
        assert await codec.accept(b' {"digits": [3]}', NEWER) == {"digits": [3], "epochs": 5}
        for data, content_type in ((bad, ""), (json.dumps({"digits": [3, 12]}).encode(), "application/json")):
            with pytest.raises(Nonconforming) as caught:
                await codec.accept(data, NEWER, content_type)
            assert [one.where for one in caught.value.problems] == ["digits[1]"]

    asyncio.run(scenario())
