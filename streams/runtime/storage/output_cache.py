"""Outputs of services that are not deterministic: the first one is stored, and every redelivery returns it again."""

import hashlib

from schemas.contracts import Contract
from schemas.encoding import binary
from streams.messages import Task
from streams.runtime.errors import Missing
from streams.runtime.storage.store import Store


class OutputCache:
    """Stores the output of a service in S3, by (run, node, path)."""

    def __init__(self, store: Store, contract: Contract) -> None:
        self._store = store
        self._contract = contract

    async def known(self, task: Task) -> dict[str, object] | None:
        """Read the output of an earlier delivery of this node execution; None when there is none."""
        try:
            data = await self._store.read(_key(task))
        except Missing:
            return None
        output: dict[str, object] = binary.read(data, self._contract.output)
        return output

    async def keep(self, task: Task, output: dict[str, object]) -> dict[str, object]:
        """Store this output unless one is stored already. Returns the stored one."""
        if await self._store.create(_key(task), binary.write(self._contract.output, output)):
            return output
        return await self.known(task) or output


def _key(task: Task) -> str:
    place = f"{task.vertex}\0{'.'.join(map(str, task.at))}"
    return f"runs/{task.run.id}/outcomes/{hashlib.sha256(place.encode()).hexdigest()}"
