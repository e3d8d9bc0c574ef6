"""Outcomes of services that are not deterministic: the first one is kept, and every redelivery gives that one again."""

import hashlib

from schemas.contracts import Contract
from schemas.encoding import binary
from streams.messages import Task
from streams.runtime.errors import Missing
from streams.runtime.storage.store import Store


class OutputCache:
    """Keeps the output of a service by (run, node, path), in S3."""

    def __init__(self, store: Store, contract: Contract) -> None:
        self._store = store
        self._contract = contract

    async def known(self, task: Task) -> dict[str, object] | None:
        """What an earlier delivery of this node execution gave, or None."""
        try:
            data = await self._store.read(_key(task))
        except Missing:
            return None
        found: dict[str, object] = binary.read(data, self._contract.output)
        return found

    async def keep(self, task: Task, output: dict[str, object]) -> dict[str, object]:
        """Keeps this output unless one is kept already, and returns the one that is."""
        if await self._store.create(_key(task), binary.write(self._contract.output, output)):
            return output
        return await self.known(task) or output


def _key(task: Task) -> str:
    place = f"{task.vertex}\0{'.'.join(map(str, task.at))}"
    return f"runs/{task.run.id}/outcomes/{hashlib.sha256(place.encode()).hexdigest()}"
