"""Reading forms that strangers send."""

import asyncio
from typing import Any

import pytest
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


def read(body: bytes, more: str = "") -> dict[str, Any]:
    """The record that a form makes."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def work() -> dict[str, Any]:
        kind = f"multipart/form-data; boundary=x{more}".encode()
        request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}, receive)
        async with multipart.form(request, Limits()) as parts:
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
