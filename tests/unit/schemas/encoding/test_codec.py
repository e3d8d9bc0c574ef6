"""Records as they cross Kafka."""

import asyncio
import base64
import json
from typing import Any

import pytest

from schemas.encoding.codec import Codec, frame, unframe, value_subject
from schemas.errors import Incompatible, Nonconforming, Undecodable, UnknownSchema
from schemas.registry.memory import MemoryRegistry

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
    """Bytes in another format are refused with what they should be."""
    with pytest.raises(Undecodable, match="a zero byte, a schema id in four bytes, Avro"):
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


OTHERS = {
    "type": "record",
    "name": "lab.Lesson",
    "fields": [{"name": "digits", "type": {"type": "array", "items": "int"}}],
}
"""The same field under the names of somebody else."""


def test_a_record_with_names_of_its_own() -> None:
    """A stranger's schema names its records as it likes: what counts is its fields, which are held against ours one by one."""
    wider = {**OTHERS, "fields": [*OTHERS["fields"], {"name": "more", "type": "int"}]}

    async def scenario() -> None:
        codec = Codec(MemoryRegistry())
        assert await codec.accept(await codec.encode("s", OTHERS, {"digits": [3]}), NEWER) == {
            "digits": [3],
            "epochs": 5,
        }
        with pytest.raises(Nonconforming, match="more: is not a field"):
            await codec.accept(await codec.encode("w", wider, {"digits": [3], "more": 1}), NEWER)

    asyncio.run(scenario())


LINE = b'{"digits": [3]}'
EVENT = {"specversion": "1.0", "id": "1", "source": "/lab", "type": "lab.lesson"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/vnd.acme+json", "application/avro", "no type"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n ", b"\t"])
def test_json_is_known_by_its_first_character(content_type: str, mark: bytes) -> None:
    """What a producer says of it changes nothing."""
    made = asyncio.run(Codec(MemoryRegistry()).accept(mark + LINE, NEWER, content_type))
    assert made == {"digits": [3], "epochs": 5}


@pytest.mark.parametrize(
    "data", [{"data": {"digits": [3]}}, {"data": LINE.decode()}, {"data_base64": base64.b64encode(LINE).decode()}]
)
def test_the_data_of_an_event_is_the_record(data: dict[str, Any]) -> None:
    """A CloudEvent in structured mode holds it as JSON, as text or as bytes; without the header it is an object like any other."""
    codec, event = Codec(MemoryRegistry()), json.dumps({**EVENT, **data}).encode()
    for content_type in ("application/cloudevents+json", "Application/CloudEvents; charset=utf-8"):
        assert asyncio.run(codec.accept(event, SCHEMA, content_type)) == {"digits": [3]}
    with pytest.raises(Nonconforming, match="specversion: is not a field"):
        asyncio.run(codec.accept(event, SCHEMA, "application/json"))


def test_an_event_may_hold_avro() -> None:
    """Its bytes are read as those of a record are."""

    async def scenario() -> None:
        codec = Codec(MemoryRegistry())
        inside = base64.b64encode(await codec.encode("s", SCHEMA, {"digits": [3]})).decode()
        event = json.dumps({**EVENT, "data_base64": inside}).encode()
        assert await codec.accept(event, NEWER, "application/cloudevents+json") == {"digits": [3], "epochs": 5}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[]", "not an object with a specversion"),
        (LINE, "not an object with a specversion"),
        (json.dumps(EVENT).encode(), "no data"),
        (json.dumps({**EVENT, "data_base64": "%"}).encode(), "not base64"),
        (json.dumps({**EVENT, "data_base64": 5}).encode(), "not base64"),
        (json.dumps({**EVENT, "data": "no JSON"}).encode(), "neither"),
    ],
)
def test_a_wrong_cloud_event_is_refused(data: bytes, words: str) -> None:
    """What says that it is one and is not, or holds nothing, is refused."""
    with pytest.raises(Undecodable, match=words):
        asyncio.run(Codec(MemoryRegistry()).accept(data, SCHEMA, "application/cloudevents+json"))


def test_a_text_that_cannot_be_stored_is_refused_in_avro_too() -> None:
    """The rule of JSON at the edges holds for every format."""
    text = {"type": "record", "name": "millrace.Text", "fields": [{"name": "text", "type": "string"}]}

    async def scenario() -> None:
        codec = Codec(MemoryRegistry())
        with pytest.raises(Nonconforming, match="NUL"):
            await codec.accept(await codec.encode("s", text, {"text": "a\0"}), text)

    asyncio.run(scenario())
