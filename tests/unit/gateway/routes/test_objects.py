"""The bytes of objects over HTTP, on a gateway in memory."""

import hashlib
from typing import Any

import pytest

from tests.unit.gateway.memory.gateway import MemoryGateway

DATA = b"0123456789" * 10
DIGEST = hashlib.sha256(DATA).hexdigest()
KEY = f"runs/5b0e7c1a-6d7e-4f7e-9d2b-8f2f4a0e3c11/{DIGEST}"


@pytest.fixture
def place(gateway: MemoryGateway) -> str:
    """The address of a stored picture."""
    gateway.call(gateway.objects.write, KEY, DATA, "image/png")
    return f"/objects/{gateway.objects.bucket}/{KEY}"


def test_an_object_is_read(gateway: MemoryGateway, place: str) -> None:
    """With the media type of when it was stored, and its SHA-256 as the ETag."""
    answer = gateway.http.get(place)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["etag"] == f'"{DIGEST}"'
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    assert gateway.http.get(place, headers={"if-none-match": f'"{DIGEST}"'}).status_code == 304


@pytest.mark.parametrize(
    ("header", "status", "content", "span"),
    [
        ("bytes=0-9", 206, DATA[:10], "bytes 0-9/100"),
        ("bytes=95-", 206, DATA[95:], "bytes 95-99/100"),
        ("bytes=-5", 206, DATA[95:], "bytes 95-99/100"),
        ("bytes=100-", 416, None, "bytes */100"),
        ("lines=1-2", 200, DATA, None),
    ],
)
def test_a_range_is_read(
    gateway: MemoryGateway, place: str, header: str, status: int, content: Any, span: str | None
) -> None:
    """One range; what is not understood is the whole."""
    answer = gateway.http.get(place, headers={"range": header})
    assert (answer.status_code, answer.headers.get("content-range")) == (status, span)
    assert content is None or answer.content == content


@pytest.mark.parametrize("key", ["runs/x/nothing", "catalog/pipelines/greet/00000001", "../secret", "deliveries/x"])
def test_an_object_that_may_not_be_read_is_404(gateway: MemoryGateway, key: str) -> None:
    """As what does not exist: a reader learns nothing of the rest of the bucket."""
    assert gateway.http.get(f"/objects/{gateway.objects.bucket}/{key}").status_code == 404
    assert gateway.http.get(f"/objects/other/{KEY}").status_code == 404
