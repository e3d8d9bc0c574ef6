"""Reading forms that strangers send."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from starlette.datastructures import FormData
from starlette.requests import Request

from gateway import multipart
from gateway.limits import Limits
from gateway.problems import Kind, Problem
from schemas.shapes import record_shape

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


def form(body: bytes, more: str = "") -> AbstractAsyncContextManager[FormData]:
    """The parts of a body."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    kind = f"multipart/form-data; boundary=x{more}".encode()
    request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}, receive)
    return multipart.form(request, Limits())


def read(body: bytes, more: str = "") -> dict[str, Any]:
    """The record that a form makes."""

    async def work() -> dict[str, Any]:
        async with form(body, more) as parts:
            return await multipart.record(parts, SHAPE, Limits())

    return asyncio.run(work())


def test_a_whole_form_is_taken() -> None:
    """With or without the line break after it, and one without parts."""
    assert read(WHOLE) == read(WHOLE + b"\r\n") == {"name": "Ada", "times": 5}
    assert read(b"--x--") == read(b"") == {}


@pytest.mark.parametrize("length", range(5, len(WHOLE)))
def test_a_form_that_breaks_off_is_refused_wherever_it_does(length: int) -> None:
    """A part that did not come is not taken for one that was left out, which would run with its default."""
    with pytest.raises(Problem, match="breaks off") as caught:
        read(WHOLE[:length])
    assert caught.value.kind is Kind.BAD_REQUEST


def test_a_charset_that_reads_no_text_is_refused() -> None:
    """Python has codecs that fail in ways of their own."""
    with pytest.raises(Problem, match="charset") as caught:
        read(WHOLE, "; charset=undefined")
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
