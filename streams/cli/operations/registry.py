"""The registry of models, for the commands about them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from streams.cli.exits import Exit, Failed
from streams.cli.settings import settings
from streams.models.version_order import ORDER, ORDERED, service_of
from streams.runtime.models.champions import Connection, ModelRegistryUnavailable, RegisteredVersion, connected

T = TypeVar("T")


def asked(action: Callable[[Connection], Awaitable[T]]) -> T | None:
    """Run an action on the registry; None if there is no registry yet. Raises Failed if it is unavailable."""

    async def act() -> T | None:
        async with connected(settings()) as connection:
            return None if connection is None else await action(connection)

    try:
        return asyncio.run(act())
    except ModelRegistryUnavailable as error:
        raise Failed(Exit.UNAVAILABLE, str(error)) from error


def registered_at(model: RegisteredVersion) -> str:
    """Return when a version was registered, as text, in UTC and to the minute."""
    return datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%d %H:%M")


def last_order(registered: list[RegisteredVersion], service: str) -> tuple[RegisteredVersion, str] | None:
    """Return the version of this service's last order, and the order; None if there is none."""
    its = [(model, model.tags[ORDER]) for model in registered if service_of(model.tags.get(ORDER, "")) == service]
    return max(its, key=lambda pair: completed_at(pair[0]), default=None)


def completed_at(version: RegisteredVersion) -> float:
    """Return when the last order of a version was completed; the same content may be ordered again."""
    return float(version.tags.get(ORDERED, version.created))
