"""The models of a worker's services: follows the champions, fetches and loads them, and only then lets them serve."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from streams.background import ended
from streams.models import BadBundle, Champion
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.model_updates import ModelUpdates
from streams.runtime.pool.executors import CallResult
from streams.runtime.retrying import delays, on_behalf_of
from streams.runtime.storage.bundles import HeldBundle, fetch, tidy
from streams.service.model_status import ModelStatus

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that a worker's start waits for its champions; after that it serves the shipped models, and swaps later."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

Load = Callable[[str], Awaitable[CallResult]]
"""Loads the bundle in a folder where the service runs; an empty folder is the shipped bundle."""


_HELD = 2
"""Models of a slot whose folders are kept: the serving one, and the one before it, which calls in progress may still use."""


@dataclass(frozen=True)
class Serving:
    """The model that serves a service now."""

    folder: str
    """The folder of its bundle; empty for the shipped one."""
    status: ModelStatus


class Models:
    """The serving models of this worker's slots. `changed` is called when one of them, or its problem, changes."""

    def __init__(self, connections: Connections, changed: Callable[[], None]) -> None:
        self._connections = connections
        self._changed = changed
        self._slots: dict[str, _Slot] = {}
        self.updates = ModelUpdates(connections, self._champion_changed)

    def host(self, service: str, shipped: ModelStatus, load: Load) -> None:
        """Add a service with a slot."""
        self._slots[service] = _Slot(self._connections, service, shipped, load, self.updates, self._changed)

    def reship(self, service: str, shipped: ModelStatus) -> None:
        """Replace the shipped model of a service, which may have changed since the start."""
        slot = self._slots.get(service)
        if slot is not None:
            slot.reship(shipped)

    async def start(self) -> None:
        """Read the champions; return when they are loaded, or the shipped models where they cannot be."""
        if not self._slots:
            return
        await self.updates.start()
        for slot in self._slots.values():
            slot.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(slot.settled.wait() for slot in self._slots.values()))

    async def stop(self) -> None:
        """Stop following the champions."""
        await asyncio.gather(*(slot.stop() for slot in self._slots.values()))
        await self.updates.stop()

    def folder(self, service: str) -> str:
        """Return the folder of the bundle that calls of a service get now; empty for the shipped one."""
        slot = self._slots.get(service)
        return "" if slot is None else slot.serving.folder

    def status(self, service: str) -> ModelStatus | None:
        """Return the status of a service's model for the catalogue; None for a service without a slot."""
        slot = self._slots.get(service)
        return None if slot is None else slot.serving.status

    def statuses(self, service: str, shipped: tuple[ModelStatus, ...]) -> tuple[ModelStatus, ...]:
        """Return the models that a service uses now: for one with a slot, the first is the model in the slot."""
        serving = self.status(service)
        return shipped if serving is None else (serving, *shipped[1:])

    def _champion_changed(self, name: str) -> None:
        if name in self._slots:
            self._slots[name].look()


class _Slot:
    """One slot: the champion serves once it is fetched and loaded."""

    def __init__(
        self,
        connections: Connections,
        name: str,
        shipped: ModelStatus,
        load: Load,
        updates: ModelUpdates,
        changed: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._name = name
        self._shipped = shipped
        self._load = load
        self._updates = updates
        self._changed = changed
        self.serving = Serving("", shipped)
        self._is_loaded = False
        """Whether the serving model has been loaded."""
        self.settled = asyncio.Event()
        """Set once the first champion serves, or has failed to."""
        self._changes = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._held: list[HeldBundle] = []
        """The folders of the last models, oldest first."""

    def start(self) -> None:
        """Start following the champion."""
        with on_behalf_of(self._name):
            self._task = asyncio.create_task(self._run(), name=f"model of {self._name}")

    async def stop(self) -> None:
        """Stop following the champions."""
        await ended(self._task)
        self._let_go(0)

    def reship(self, shipped: ModelStatus) -> None:
        """Replace the shipped model, which may have become available."""
        if shipped != self._shipped:
            self._shipped = shipped
            self.look()

    def look(self) -> None:
        """Look again: the champion changed."""
        self._changes.set()

    async def _run(self) -> None:
        pauses = delays(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            self._changes.clear()
            trying = asyncio.create_task(self._follow(self._updates.champions.get(self._name)))
            change = asyncio.create_task(self._changes.wait())
            try:
                await asyncio.wait([trying, change], return_when=asyncio.FIRST_COMPLETED)
                if trying.done() and trying.result():
                    pauses = delays(_FIRST_PAUSE, _LONGEST_PAUSE)
                    await change
                elif trying.done():  # a broken champion may be repaired
                    await asyncio.wait([change], timeout=next(pauses))
            finally:
                for task in (trying, change):
                    task.cancel()
                await asyncio.wait([trying, change])

    async def _follow(self, champion: Champion | None) -> bool:
        """Make the champion serve; return whether it does. The model before serves until then, and after that if it fails."""
        try:
            self._serve(await self._loaded(champion))
        except Exception as error:
            if not isinstance(error, BadBundle | OSError):
                log.exception("the champion of %s cannot serve", self._name)
            wanted = "the shipped model" if champion is None else f"{champion.model} {champion.version}"
            self._serve(await self._instead(f"{wanted} cannot serve: {error}"))
            return False
        finally:
            self.settled.set()
        await asyncio.to_thread(tidy, self._folder / self._name)
        return True

    async def _instead(self, why: str) -> Serving:
        """Return the model that serves instead of a failed champion: the one before, at the start the shipped one."""
        status = replace(self.serving.status, detail="")
        if not self._is_loaded and status.ready:
            self._is_loaded = (await self._load("")).failure is None
        if self._is_loaded:
            return replace(
                self.serving, status=replace(status, detail=f"{why}; {status.name} {status.version} continues to serve")
            )
        return replace(self.serving, status=replace(status, ready=False, detail=why))

    async def _loaded(self, champion: Champion | None) -> Serving:
        held: HeldBundle | None = None
        if champion is None or champion.version == self._shipped.version:
            fresh = Serving("", self._shipped)
            if not self._shipped.ready:
                return fresh  # its status says what is missing
        else:
            held = await fetch(self._connections.store, champion, self._folder)
            bundle = held.bundle
            fresh = Serving(str(bundle.folder), ModelStatus(bundle.name, bundle.version, ready=True))
        ended = await self._load(fresh.folder)
        if ended.failure is not None:
            raise BadBundle(f"it cannot be loaded: {ended.failure.reason}")
        self._is_loaded = True
        if held is not None:
            self._held.append(held)
            self._let_go(_HELD)
        return fresh

    @property
    def _folder(self) -> Path:
        return self._connections.settings.home.absolute() / "models"

    def _let_go(self, most: int) -> None:
        """Release the oldest folders, so that at most `most` are held."""
        while len(self._held) > most:
            self._held.pop(0).release()

    def _serve(self, fresh: Serving) -> None:
        if fresh == self.serving:
            return
        if fresh.status.detail:
            log.warning("%s: %s", self._name, fresh.status.detail)
        else:
            log.info("%s is served by %s %s", self._name, fresh.status.name, fresh.status.version)
        self.serving = fresh
        self._changed()
