"""The registry of models: which versions there are, and which of them serves."""

from streams.runtime.models import champions
from streams.runtime.models.champions import NoSuchVersion, RegisteredVersion
from streams.settings import Settings


class ModelVersions:
    """Reads the registry and moves the alias `champion`. Every call may raise ModelRegistryUnavailable (503)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def list(self, slot: str | None = None) -> list[RegisteredVersion]:
        """Return the versions of one slot, or of all, oldest first."""
        async with champions.connected(self._settings) as connection:
            return [] if connection is None else await champions.versions(connection, slot)

    async def promote(self, slot: str, version: str) -> RegisteredVersion:
        """Let a version serve, by its number or its bundle's version. Raises NoSuchVersion."""
        async with champions.connected(self._settings) as connection:
            if connection is None:
                raise NoSuchVersion("there is no registry of models yet: nothing was trained here")
            return await champions.promote(connection, slot, version)

    async def demote(self, slot: str) -> bool:
        """Let the shipped model serve; False when it did already."""
        async with champions.connected(self._settings) as connection:
            return connection is not None and await champions.demote(connection, slot)
