"""Whether Kafka answers now, checked every second, so that no call waits long for a broker that hangs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from gateway.api.links import links
from gateway.api.problems import Kind, Problem

T = TypeVar("T")

EVERY = 1.0
"""Seconds between an answer and the next check."""
PATIENCE = 1.5
"""Seconds without an answer after which Kafka counts as silent."""
_RETRY_LATER = {"Retry-After": "5"}


class KafkaPulse:
    """Asks whether Kafka answers: call `check` every `EVERY` seconds. At most one question is pending, and none is cut short."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self._question: asyncio.Future[object] | None = None
        self._silence = asyncio.Event()

    @property
    def silent(self) -> bool:
        """Whether the last check failed."""
        return self._silence.is_set()

    async def check(self) -> None:
        """Ask Kafka. Raises OSError when no answer comes, and what the question raises."""
        if self._question is None:
            self._question = asyncio.ensure_future(self._ask())
        await asyncio.wait([self._question], timeout=PATIENCE)
        if not self._question.done():
            self._silence.set()
            raise OSError(f"no broker has answered for {PATIENCE:g} s and more")
        question, self._question = self._question, None
        try:
            question.result()
        except Exception:
            self._silence.set()
            raise
        self._silence.clear()

    async def stop(self) -> None:
        """End the check."""
        if self._question is not None:
            self._question.cancel()
            await asyncio.gather(self._question, return_exceptions=True)

    async def begin(self, run: str, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of work that starts a run. Raises Problem (503) while Kafka does not answer.

        When Kafka is silent from the start, nothing is sent. When it falls silent later, what was sent may still arrive, so
        the problem names the run.
        """
        if self.silent:
            work.close()
            raise Problem(
                Kind.UNAVAILABLE, "Kafka does not answer. Nothing was begun; try again.", headers=_RETRY_LATER
            )
        working, silence = asyncio.ensure_future(work), asyncio.ensure_future(self._silence.wait())
        try:
            await asyncio.wait({working, silence}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise Problem(Kind.UNAVAILABLE, "Kafka stopped answering.")
        except Problem as problem:
            if problem.kind is not Kind.UNAVAILABLE:
                raise
            detail = (
                f"{problem.detail} The run may begin all the same: GET /runs/{run} tells once it has. A request with an "
                "Idempotency-Key may be sent again with the same key, and never makes a second run."
            )
            raise Problem(
                Kind.UNAVAILABLE,
                detail,
                headers={**_RETRY_LATER, **problem.headers},
                extra={"id": run, "links": links(run)},
            ) from None
        finally:
            for task in (working, silence):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([working, silence])
