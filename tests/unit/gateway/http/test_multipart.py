"""Reading forms that strangers send."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from starlette.datastructures import FormData
from starlette.requests import Request

from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem
from gateway.http import multipart
from schemas.shapes import Record, record_shape

SHAPE = record_shape(
    {
        "type": "record",
        "name": "millrace.Form",
        "fields": [{"name": "name", "type": "string"}, {"name": "times", "type": "long", "default": 1}],
    }
)
WHOLE = (
    b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda\r\n'
    b'--x\r\nContent-Disposition: form-data; name="times"\r\n\r\n5\r\n--x--'
)


def form(*body: bytes, more: str = "") -> AbstractAsyncContextManager[FormData]:
    """The parts of a body, which comes in these pieces."""
    pieces = list(body)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    kind = f"multipart/form-data; boundary=x{more}".encode()
    request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}, receive)
    return multipart.form(request, Limits())


def read(*body: bytes, more: str = "", of: Record = SHAPE) -> dict[str, Any]:
    """The record that a form makes."""

    async def work() -> dict[str, Any]:
        async with form(*body, more=more) as parts:
            return await multipart.record(parts, of, Limits())

    return asyncio.run(work())


def test_a_whole_form_is_taken() -> None:
    """With or without the line break after it, and one without parts."""
    assert read(WHOLE) == read(WHOLE + b"\r\n") == {"name": "Ada", "times": 5}
    assert read(b"--x--") == read(b"") == {}


@pytest.mark.parametrize("length", range(5, len(WHOLE)))
def test_a_form_that_breaks_off_is_refused_wherever_it_does(length: int) -> None:
    """A part that did not come is not taken for one that was left out, which would run with its default."""
    with pytest.raises(Problem, match="is truncated") as caught:
        read(WHOLE[:length])
    assert caught.value.kind is Kind.BAD_REQUEST


@pytest.mark.parametrize("before", [b"\r\n", b"For people without MIME.\r\n", b"--xy\r\n--\r\n-" * 5000 + b"\r\n"])
@pytest.mark.parametrize("after", [b"", b"\r\n", b"\r\nThe end.\r\n--x--\r\nIndeed."])
def test_a_preamble_and_an_epilogue_are_passed_over(before: bytes, after: bytes) -> None:
    """A preamble and an epilogue (RFC 2046), of any length and in any pieces."""
    assert read(before + WHOLE + after) == {"name": "Ada", "times": 5}
    for size in (1, 2, 3, 7):
        short = before[-200:] + WHOLE + after
        assert read(*(short[at : at + size] for at in range(0, len(short), size))) == {"name": "Ada", "times": 5}


def test_a_body_without_the_boundary_is_refused() -> None:
    """Whatever it is, it is not what its type says."""
    for body in (b"name=Ada", b"--y\r\n", b"a --x\r\n"):
        with pytest.raises(Problem, match="boundary") as caught:
            read(body)
        assert caught.value.kind is Kind.BAD_REQUEST


def field(name: str, value: bytes, more: str = "") -> bytes:
    """One part."""
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


FORM = record_shape(
    {
        "type": "record",
        "name": "millrace.Everything",
        "fields": [
            {"name": "name", "type": "string"},
            {"name": "note", "type": "string", "default": "none"},
            {"name": "mode", "type": "string", "enum": ["soft", "hard"], "default": "soft"},
            {"name": "times", "type": "long", "default": 1},
            {"name": "must", "type": "long"},
            {"name": "share", "type": ["null", "double"], "default": None},
            {"name": "sure", "type": "boolean", "default": False},
            {"name": "areas", "type": {"type": "array", "items": "long"}, "default": []},
            {"name": "photo", "type": ["null", "millrace.Ref"], "default": None},
            {"name": "others", "type": {"type": "array", "items": "millrace.Ref"}, "default": []},
        ],
    }
)


def fill(*parts: bytes) -> dict[str, Any]:
    """What a browser's form makes."""
    return read(b"".join(parts) + b"--x--", of=FORM)


def test_fields_that_were_not_filled_in_are_left_out() -> None:
    """As a browser sends them: an empty number, no choice, no file; an empty text is one all the same."""
    none = field("photo", b"", '; filename=""'), *(field("others", b"", '; filename=""'),) * 2
    empty = [field(name, b"") for name in ("times", "share", "sure", "mode", "areas")]
    assert fill(field("name", b""), field("note", b""), *empty, *none) == {"name": "", "note": ""}
    assert fill(field("others", b"1", '; filename="a"'), *none) == {"others": [b"1"]}
    assert fill(field("photo", b"1", '; filename="a"'), *none) == {"photo": b"1"}


def test_an_empty_required_number_is_refused() -> None:
    """An empty number that has no default is no number; a file that is empty is one."""
    with pytest.raises(Problem) as caught:
        fill(field("must", b""))
    assert [one.where for one in caught.value.errors] == ["must"]
    assert fill(field("photo", b"", '; filename="a"')) == {"photo": b""}


def test_a_box_is_checked() -> None:
    """A browser says `on`."""
    assert fill(field("sure", b"on")) == fill(field("sure", b"true")) == {"sure": True}
    assert fill(field("sure", b"off")) == {"sure": False}
    assert fill(field("name", b"on")) == {"name": "on"}


@pytest.mark.parametrize("more", ["; filename*=UTF-8''na%C3%AFve.png", "; FileName*=x", '; filename="a"; filename*=b'])
def test_a_file_with_a_name_in_the_extended_form_is_a_file(more: str) -> None:
    """Some systems know no other form; its bytes are no text."""
    assert fill(field("photo", b"\xff\xd8", more)) == {"photo": b"\xff\xd8"}


def test_a_name_is_no_parameter() -> None:
    """What stands in quotes is a name."""
    with pytest.raises(Problem) as caught:
        fill(field("a; filename*=x", b"1"))
    assert caught.value.errors[0].where == "a; filename*=x"


def test_a_form_says_its_encoding() -> None:
    """In the field `_charset_`, which is no input; what is none of text is refused."""
    assert fill(field("_charset_", b"windows-1252"), field("name", "5 €".encode("cp1252"))) == {"name": "5 €"}
    assert fill(field("_charset_", b"Shift_JIS"), field("name", "写真".encode("shift_jis"))) == {"name": "写真"}
    assert fill(field("name", b"Ada"), field("_charset_", b"UTF-8")) == {"name": "Ada"}
    for wrong in (b"rot13", b"base64", b"undefined", b"idna", b"", b"\xff", b"x" * 500):
        with pytest.raises(Problem, match="_charset_") as caught:
            fill(field("_charset_", wrong))
        assert caught.value.kind is Kind.BAD_REQUEST


def test_a_charset_that_reads_no_text_is_refused() -> None:
    """Python has codecs that fail in ways of their own."""
    with pytest.raises(Problem, match="charset") as caught:
        read(WHOLE, more="; charset=undefined")
    assert caught.value.kind is Kind.BAD_REQUEST


def test_an_input_is_given_once() -> None:
    """Which of two values counts would depend on the order of the parts, as it would of two names in JSON."""
    data = b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n{"times": 7}\r\n'
    assert read(data + WHOLE.replace(b"times", b"name2")[: WHOLE.index(b"Ada") + 5] + b"--x--") == {
        "name": "Ada",
        "times": 7,
    }
    for body in (data + WHOLE, WHOLE[:-5] + data + b"--x--"):
        with pytest.raises(Problem) as caught:
            read(body)
        assert [(one.where, one.problem) for one in caught.value.errors] == [
            ("times", "given in `data` and as a part of its own")
        ]


def test_text_with_a_nul_is_refused_as_in_json() -> None:
    """The history could not keep it."""
    with pytest.raises(Problem) as caught:
        read(WHOLE.replace(b"Ada", b"A\0a"))
    assert [(one.where, one.problem) for one in caught.value.errors] == [("name", "text with a NUL character in it")]


def test_a_large_part_is_read_beside_the_event_loop() -> None:
    """While a part of megabytes is parsed, others get their turn."""
    many = b"[" + b"1," * 500_000 + b"1]"
    body = b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n{"a": ' + many + b"}\r\n--x--"
    turns: list[None] = []

    async def others() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    async def work() -> None:
        async with form(body) as parts:
            task = asyncio.create_task(others())
            assert len((await multipart.record(parts, SHAPE, Limits()))["a"]) == 500_001
            task.cancel()

    asyncio.run(work())
    assert turns


def test_the_parts_of_a_form_count_together() -> None:
    """Brackets in many parts are as many as in one."""
    part = b'--x\r\nContent-Disposition: form-data; name="times"\r\n\r\n%b\r\n'
    many = b"[" + b"[]," * 300_000 + b"1]"
    with pytest.raises(Problem, match="lists, objects and commas") as caught:
        read(part.replace(b"times", b"data") % (b'{"a": ' + many + b"}") + part % many + b"--x--")
    assert caught.value.kind is Kind.TOO_LARGE
