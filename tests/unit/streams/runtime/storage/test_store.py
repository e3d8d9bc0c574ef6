"""Which requests to S3 carry a signature of their body, as a server sees them."""

import asyncio
import dataclasses

import pytest

from streams.runtime.storage.store import Store, needs_no_body_signature
from streams.settings import Settings

SAFE = {
    "https://s3.example.com": True,
    "http://127.0.0.1:9090": True,
    "http://127.8.8.8": True,
    "http://[::1]:9090": True,
    "http://localhost:9090": True,
    "http://s3.example.com": False,
    "http://10.0.0.7:9000": False,
    "http://localhost.example.com": False,
    "": False,
}


@pytest.mark.parametrize(("endpoint", "safe"), SAFE.items())
def test_a_body_goes_unsigned_only_where_nobody_can_change_it(endpoint: str, safe: bool) -> None:
    """Over TLS, and on this machine."""
    assert needs_no_body_signature(endpoint) is safe


def test_a_put_on_this_machine_signs_the_request_but_not_the_body() -> None:
    """The request says that its body has no hash, and is signed all the same."""
    seen: dict[str, str] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        seen.update((name, value) for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:]))
        await reader.readexactly(int(seen["content-length"]))
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n')
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            store = Store(dataclasses.replace(Settings(), s3=f"http://127.0.0.1:{port}", s3_secret_key="secret"))
            try:
                await store.write("a", b"body")
            finally:
                store.close()

    asyncio.run(main())
    assert seen["x-amz-content-sha256"] == "unsigned-payload"
    assert seen["authorization"].startswith("aws4-hmac-sha256 ")
