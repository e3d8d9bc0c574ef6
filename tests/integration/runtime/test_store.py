"""The object store: content addresses, put-if-absent, outages, and programs that end cleanly."""

import asyncio
import dataclasses
import hashlib
import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.refs import Ref
from streams.runtime.errors import Missing, StoreUnavailable
from streams.runtime.retrying import Outages
from streams.runtime.storage.store import Store
from streams.settings import Settings
from tests.integration.support.waiting import until


@asynccontextmanager
async def store(settings: Settings) -> AsyncIterator[Store]:
    """A store with its bucket, closed at the end."""
    made = Store(settings)
    await made.ensure_bucket()
    try:
        yield made
    finally:
        made.close()


def test_an_object_is_found_by_its_content(settings: Settings) -> None:
    """What is stored comes back under runs/<run>/<sha256>, and storing it twice gives the same ref."""

    async def main() -> None:
        run = str(uuid.uuid4())
        async with store(settings) as made:
            ref = await made.put(run, b"bytes", "image/png")
            sha256 = hashlib.sha256(b"bytes").hexdigest()
            assert ref == Ref(settings.s3_bucket, f"runs/{run}/{sha256}", 5, sha256, "image/png")
            assert await made.put(run, b"bytes", "image/png") == ref
            assert await made.get(ref) == b"bytes"
            assert await made.get_all([ref, ref]) == {sha256: b"bytes"}
            assert await made.list(f"runs/{run}") == [ref.key]
            await made.delete([ref.key])
            with pytest.raises(Missing, match=sha256):
                await made.get(ref)

    asyncio.run(main())


@pytest.mark.parametrize("key", ["a//b", "../x", "runs/x\u0001", "runs/x/."])
def test_a_key_that_s3_refuses_is_no_outage(settings: Settings, key: str) -> None:
    """What will never be there is missing: waiting for it would be for ever."""

    async def main() -> None:
        async with store(settings) as made:
            with pytest.raises(Missing):
                await made.read(key)
            assert not await made.has(key)

    asyncio.run(main())


NO_OBJECTS = ["", "/", "..", "a//b", "runs/", "runs/" + "x" * 300, "ünü", "catalog/x", "runs/x/outcomes/y"]


@pytest.mark.parametrize(("bucket", "key"), [("another", "runs/x/y"), *(("", key) for key in NO_OBJECTS)])
def test_a_reference_names_objects_only(settings: Settings, bucket: str, key: str) -> None:
    """Nothing is asked of S3 for what a reference may not name: another bucket, no key, a folder of the installation's own."""

    async def main() -> None:
        async with store(settings) as made:
            with pytest.raises(Missing, match="a reference may name"):
                await made.get(Ref(bucket or settings.s3_bucket, key, 5, "0" * 64, "image/png"))

    asyncio.run(main())


def test_other_bytes_than_the_ref_says_are_refused(settings: Settings) -> None:
    """A ref whose hash is not that of the bytes never reaches a service."""

    async def main() -> None:
        async with store(settings) as made:
            ref = await made.put(str(uuid.uuid4()), b"bytes", "image/png")
            with pytest.raises(Missing, match="other bytes"):
                await made.get(dataclasses.replace(ref, sha256="0" * 64))

    asyncio.run(main())


def test_of_several_that_create_one_wins(settings: Settings) -> None:
    """Put-if-absent has exactly one winner, and what it wrote stays."""

    async def main() -> None:
        async with store(settings) as made:
            key = f"runs/{uuid.uuid4()}/outcome"
            won = await asyncio.gather(*(made.create(key, str(number).encode()) for number in range(20)))
            assert sum(won) == 1
            assert await made.read(key) == str(won.index(True)).encode()

    asyncio.run(main())


def test_an_unavailable_server_is_reported_or_waited_for(settings: Settings) -> None:
    """Without outages a call raises; with them it waits, says so, and goes on when the server answers."""

    async def main() -> None:
        away = dataclasses.replace(settings, s3="http://127.0.0.1:9")
        made = Store(away)
        assert not await made.healthy()
        with pytest.raises(StoreUnavailable):
            await made.read("nothing")
        made.close()

        outages = Outages()
        waiting = Store(away, outages)
        read = asyncio.create_task(waiting.read("health/x"))
        await until(lambda: "s3" in outages.now())
        async with store(settings) as there:
            await there.write("health/x", b"here")
            assert await there.healthy()
            waiting._client = there._client  # the server comes back
            assert await asyncio.wait_for(read, 10) == b"here"
        assert outages.now() == {}
        waiting.close()

    asyncio.run(main())


def test_short_programs_end_cleanly(settings: Settings, tmp_path: Path) -> None:
    """A program that used the store exits with 0, every time of 20: the exit status of a command counts."""
    script = tmp_path / "short.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio
            from streams.runtime.storage.store import Store
            from streams.settings import Settings

            async def main() -> None:
                store = Store(Settings.read())
                refs = await asyncio.gather(*(store.put("short", bytes([n]) * 200_000, "x/y") for n in range(5)))
                await store.get_all(refs)

            asyncio.run(main())
            """
        )
    )
    environ = {**os.environ, **settings.environ(), "PYTHONPATH": str(Path(__file__).parents[3])}
    statuses = [subprocess.run([sys.executable, script], env=environ, check=False).returncode for _ in range(20)]
    assert statuses == [0] * 20


def test_a_client_with_another_secret_is_refused(settings: Settings) -> None:
    """Bodies that go unsigned on this machine change nothing of that: the request has its signature."""

    async def main() -> None:
        stranger = Store(dataclasses.replace(settings, s3_secret_key="another one"))
        try:
            with pytest.raises(StoreUnavailable, match=r"(?i)denied|forbidden|signature"):
                await stranger.write("strangers/object", b"bytes")
        finally:
            stranger.close()
        async with store(settings) as made:
            assert not await made.has("strangers/object")

    asyncio.run(main())
