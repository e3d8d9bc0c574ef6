"""A schema registry inside the process: for pipelines that run in memory."""

from typing import Any

from schemas.encoding import binary
from schemas.errors import Incompatible, UnknownSchema
from schemas.library import inline
from schemas.memo import Memo
from schemas.validation import compat


class MemoryRegistry:
    """Gives ids in order of registration and refuses a schema that cannot read its subject's last one, as a real one does."""

    def __init__(self) -> None:
        self._schemas: list[Any] = []
        self._subjects: dict[str, list[int]] = {}
        self._whole: Memo[Any] = Memo(inline)

    async def id_of(self, subject: str, schema: Any) -> int:
        """Return the id of a schema, see `schemas.encoding.codec.Registry`."""
        whole = self._whole(schema)
        ids = self._subjects.setdefault(subject, [])
        for known in ids:
            if self._schemas[known - 1] == whole:
                return known
        binary.check(whole)
        if ids and (problems := compat.problems(reader=whole, writer=self._schemas[ids[-1] - 1])):
            raise Incompatible(subject, problems)
        ids.append(self._register(whole))
        return ids[-1]

    async def schema_of(self, schema_id: int) -> Any:
        """Return the schema of an id, see `schemas.encoding.codec.Registry`."""
        if not 1 <= schema_id <= len(self._schemas):
            raise UnknownSchema(f"no schema has the id {schema_id}")
        return self._schemas[schema_id - 1]

    def _register(self, whole: Any) -> int:
        if whole in self._schemas:
            return self._schemas.index(whole) + 1
        self._schemas.append(whole)
        return len(self._schemas)
