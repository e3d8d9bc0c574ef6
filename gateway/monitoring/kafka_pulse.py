"""Whether Kafka answers now: asked every second, so that nobody waits long for a broker that stands still."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from gateway.api.links import links
from gateway.api.problems import Kind, Problem

T = TypeVar("T")

EVERY = 1.0
"""Seconds between an answer and the next question."""
PATIENCE = 1.5
"""Seconds after which a question without an answer means that Kafka does not answer."""
_LATER = {"Retry-After": "5"}


class KafkaPulse:
    """`check` is to be called every `EVERY` seconds. There is never more than one question under way, and none is cut short."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self._asking: asyncio.Future[object] | None = None
        self._silence = asyncio.Event()

    @property
    def silent(self) -> bool:
        """Whether the last question had no answer."""
        return self._silence.is_set()

    async def check(self) -> None:
        """Asks. Raises OSError when no answer comes, and what the answer raises."""
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._ask())
        await asyncio.wait([self._asking], timeout=PATIENCE)
        if not self._asking.done():
            self._silence.set()
            raise OSError(f"no broker has answered for {PATIENCE:g} s and more")
        asking, self._asking = self._asking, None
        try:
            asking.result()
        except Exception:
            self._silence.set()
            raise
        self._silence.clear()

    async def stop(self) -> None:
        """Asks no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def begin(self, run: str, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that begins a run. Raises Problem (503) while Kafka does not answer.

        Before anything was sent, nothing is begun. Later nobody knows whether it is, so the answer names the run: what was sent
        may still arrive.
        """
        if self.silent:
            work.close()
            raise Problem(Kind.AWAY, "Kafka does not answer. Nothing was begun; try again.", headers=_LATER)
        doing, silence = asyncio.ensure_future(work), asyncio.ensure_future(self._silence.wait())
        try:
            await asyncio.wait({doing, silence}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise Problem(Kind.AWAY, "Kafka stopped answering.")
        except Problem as problem:
            if problem.kind is not Kind.AWAY:
                raise
            detail = (
                f"{problem.detail} The run may begin all the same: GET /runs/{run} tells once it has. A request with an "
                "Idempotency-Key may be sent again with the same key, and never makes a second run."
            )
            raise Problem(
                Kind.AWAY, detail, headers={**_LATER, **problem.headers}, extra={"id": run, "links": links(run)}
            ) from None
        finally:
            for task in (doing, silence):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([doing, silence])
