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
"""Seconds that a worker's start waits for its champions; then it begins with the shipped models, and swaps later."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

Load = Callable[[str], Awaitable[CallResult]]
"""Loads the bundle in a folder where the service runs; the empty one is the shipped bundle."""


_HELD = 2
"""Models of a slot whose folders stay: the one that serves, and the one before it, which calls under way may still use."""


@dataclass(frozen=True)
class Serving:
    """What serves a service now."""

    folder: str
    """Where its bundle is; empty for the shipped one."""
    status: ModelStatus


class Models:
    """What serves each slot of this worker; `changed` is called when that, or what is wrong with it, is another."""

    def __init__(self, parts: Connections, changed: Callable[[], None]) -> None:
        self._parts = parts
        self._changed = changed
        self._slots: dict[str, _Slot] = {}
        self.updates = ModelUpdates(parts, self._told)

    def host(self, service: str, shipped: ModelStatus, load: Load) -> None:
        """This service is served here."""
        self._slots[service] = _Slot(self._parts, service, shipped, load, self.updates, self._changed)

    def reship(self, service: str, shipped: ModelStatus) -> None:
        """This is what is shipped for a service, as it was found now."""
        slot = self._slots.get(service)
        if slot is not None:
            slot.reship(shipped)

    async def start(self) -> None:
        """Reads who the champions are, and returns when they are loaded, or the shipped ones where they cannot be."""
        if not self._slots:
            return
        await self.updates.start()
        for slot in self._slots.values():
            slot.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(slot.settled.wait() for slot in self._slots.values()))

    async def stop(self) -> None:
        """Follows no more."""
        await asyncio.gather(*(slot.stop() for slot in self._slots.values()))
        await self.updates.stop()

    def folder(self, service: str) -> str:
        """The bundle that calls of a service get now; empty for the shipped one."""
        slot = self._slots.get(service)
        return "" if slot is None else slot.serving.folder

    def status(self, service: str) -> ModelStatus | None:
        """What the catalogue says of a service's model; None for a service without a slot."""
        slot = self._slots.get(service)
        return None if slot is None else slot.serving.status

    def statuses(self, service: str, shipped: tuple[ModelStatus, ...]) -> tuple[ModelStatus, ...]:
        """Return the models that a service uses now: for one with a slot, the first is the model in the slot."""
        serving = self.status(service)
        return shipped if serving is None else (serving, *shipped[1:])

    def _told(self, name: str) -> None:
        if name in self._slots:
            self._slots[name].look()


class _Slot:
    """One slot: what is wanted becomes what serves once it is here and loads."""

    def __init__(
        self,
        parts: Connections,
        name: str,
        shipped: ModelStatus,
        load: Load,
        updates: ModelUpdates,
        changed: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._name = name
        self._shipped = shipped
        self._load = load
        self._updates = updates
        self._changed = changed
        self.serving = Serving("", shipped)
        self._sure = False
        """Whether what serves has been loaded."""
        self.settled = asyncio.Event()
        """Set once the first champion serves, or is known not to."""
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._held: list[HeldBundle] = []
        """The folders of what served last, the oldest first."""

    def start(self) -> None:
        """Begins to follow."""
        with on_behalf_of(self._name):
            self._task = asyncio.create_task(self._run(), name=f"model of {self._name}")

    async def stop(self) -> None:
        """Follows no more."""
        await ended(self._task)
        self._let_go(0)

    def reship(self, shipped: ModelStatus) -> None:
        """What is shipped may be there by now."""
        if shipped != self._shipped:
            self._shipped = shipped
            self.look()

    def look(self) -> None:
        """The champion is another."""
        self._news.set()

    async def _run(self) -> None:
        pauses = delays(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            self._news.clear()
            trying = asyncio.create_task(self._follow(self._updates.champions.get(self._name)))
            news = asyncio.create_task(self._news.wait())
            try:
                await asyncio.wait([trying, news], return_when=asyncio.FIRST_COMPLETED)
                if trying.done() and trying.result():
                    pauses = delays(_FIRST_PAUSE, _LONGEST_PAUSE)
                    await news
                elif trying.done():  # what is broken may be put right
                    await asyncio.wait([news], timeout=next(pauses))
            finally:
                for task in (trying, news):
                    task.cancel()
                await asyncio.wait([trying, news])

    async def _follow(self, champion: Champion | None) -> bool:
        """Makes the champion serve; whether it does. What served before goes on until then, and if it cannot."""
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
        """What goes on to serve: what did so before, at the start the shipped model."""
        status = replace(self.serving.status, detail="")
        if not self._sure and status.ready:
            self._sure = (await self._load("")).failure is None
        if self._sure:
            return replace(
                self.serving, status=replace(status, detail=f"{why}; {status.name} {status.version} goes on")
            )
        return replace(self.serving, status=replace(status, ready=False, detail=why))

    async def _loaded(self, champion: Champion | None) -> Serving:
        held: HeldBundle | None = None
        if champion is None or champion.version == self._shipped.version:
            fresh = Serving("", self._shipped)
            if not self._shipped.ready:
                return fresh  # which says what is missing
        else:
            held = await fetch(self._parts.store, champion, self._folder)
            bundle = held.bundle
            fresh = Serving(str(bundle.folder), ModelStatus(bundle.name, bundle.version, ready=True))
        ended = await self._load(fresh.folder)
        if ended.failure is not None:
            raise BadBundle(f"it cannot be loaded: {ended.failure.reason}")
        self._sure = True
        if held is not None:
            self._held.append(held)
            self._let_go(_HELD)
        return fresh

    @property
    def _folder(self) -> Path:
        return self._parts.settings.home.absolute() / "models"

    def _let_go(self, most: int) -> None:
        """Lets the oldest go, so that at most so many are held."""
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
