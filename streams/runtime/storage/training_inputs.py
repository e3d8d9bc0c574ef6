"""Keeping inputs for training: beside the dataset versions, by their content, so that they outlive their run."""

import hashlib

from schemas.contracts import WHOLE, Contract
from schemas.refs import Ref
from streams.datasets import predictions
from streams.datasets.manifest import object_key
from streams.messages import Task
from streams.runtime.errors import Missing
from streams.runtime.storage.store import Store


async def keep(store: Store, contract: Contract, task: Task) -> Ref | None:
    """Keep what a service's contract names of the input of a task. An existing object is left as it is.

    Returns None when the service keeps nothing, the input has no such object, or it was removed meanwhile. Objects are
    copied inside the store: their bytes do not come here.
    """
    if contract.keeps == WHOLE:
        text = predictions.canonical(contract.input, task.input)
        sha256 = hashlib.sha256(text).hexdigest()
        await store.create(object_key(sha256), text)
        return Ref(store.bucket, object_key(sha256), len(text), sha256, "application/json")
    value = task.input.get(contract.keeps)
    if not value:
        return None
    ref = Ref.from_dict(value)
    key = object_key(ref.sha256)
    try:
        if not await store.has(key):
            await store.copy(ref.key, key)
    except Missing:
        return None
    return Ref(ref.bucket, key, ref.size, ref.sha256, ref.media_type)
