"""Keeping inputs for training, in the real object store."""

import asyncio
import uuid
from dataclasses import replace
from typing import Any

from schemas.contracts import WHOLE, Contract
from schemas.refs import Ref
from streams.datasets.predictions import digest
from streams.messages import Context, Run, Task
from streams.runtime.storage.store import Store
from streams.runtime.storage.training_inputs import keep
from streams.settings import Settings

FIELDS = [
    {"name": "image", "type": ["null", "millrace.Ref"], "default": None},
    {"name": "age", "type": "int", "default": 0},
]
INPUT = {"type": "record", "name": "t.In", "fields": FIELDS}
OUTPUT = {
    "type": "record",
    "name": "t.Out",
    "fields": [{"name": n, "type": "string"} for n in ("model", "model_version")],
}
PICTURE = Contract("reader", "1.0.0", "Reads", "", INPUT, OUTPUT, keeps="image")


def task(**given: Any) -> Task:
    """A task of a run of its own."""
    return Task(Run(str(uuid.uuid4()), "p", "d", 0.0), "t", (), "t", "reader", 1, given, Context())


def test_an_object_is_kept_once_and_outlives_its_run(settings: Settings) -> None:
    """Two runs with the same picture keep one object, with its media type; the runs' own may go then."""

    async def main() -> None:
        store = Store(settings)
        await store.ensure_bucket()
        data = uuid.uuid4().bytes
        asked = [task(), task()]
        kept = []
        for one in asked:
            ref = await store.put(one.run.id, data, "image/png")
            kept.append(await keep(store, PICTURE, replace(one, input={"image": ref.to_dict(), "age": 1})))
            await store.delete([ref.key])
        assert kept[0] == kept[1]
        assert kept[0] is not None
        assert (kept[0].size, kept[0].media_type) == (16, "image/png")
        assert await store.get(kept[0]) == data
        store.close()

    asyncio.run(main())


def test_a_missing_object_is_not_kept(settings: Settings) -> None:
    """Without an object, or with one that somebody removed, the answer stands and nothing is kept."""

    async def main() -> None:
        store = Store(settings)
        gone = Ref(store.bucket, f"runs/{uuid.uuid4()}/x", 1, uuid.uuid4().hex * 2, "image/png")
        assert await keep(store, PICTURE, task(image=None)) is None
        assert await keep(store, PICTURE, task(image=gone.to_dict())) is None
        store.close()

    asyncio.run(main())


def test_a_whole_input_is_kept_as_json(settings: Settings) -> None:
    """What has no object is kept as its canonical text, under the digest by which its prediction knows it."""

    async def main() -> None:
        store = Store(settings)
        await store.ensure_bucket()
        asked = task(image=None, age=41)
        contract = replace(PICTURE, keeps=WHOLE)
        kept = await keep(store, contract, asked)
        assert kept is not None
        assert kept == await keep(store, contract, asked)
        assert kept.sha256 == digest(INPUT, asked.input)
        assert await store.get(kept) == b'{"age":41,"image":null}'
        store.close()

    asyncio.run(main())
