"""What is said of the parts: their last answer, while it is fresh."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.monitoring import health
from gateway.monitoring.health import Health


class Part:
    """A part that answers when it is let, and says what is wrong with it."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> None:
        """Is asked."""
        self.asked.set()
        await self.answers.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "EVERY", 0.0)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what is waited for is what somebody else sees
            await asyncio.sleep(0)


def test_a_part_is_missing_until_it_has_answered_and_when_its_answer_is_old() -> None:
    """A checker that stands still is not ready, whatever it said last."""

    async def scenario() -> None:
        now, part = [0.0], Part()
        looked = Health({"part": part}, lambda: now[0])
        looked.start()
        assert looked.missing() == {"part": "it has not answered yet"}
        part.answers.set()
        await _until(lambda: not looked.missing())
        part.answers.clear()
        part.asked.clear()
        await part.asked.wait()
        now[0] += health.PATIENCE
        assert looked.missing() == {}
        now[0] += 58
        assert looked.missing() == {"part": "no answer for 60 s"}
        part.answers.set()
        await _until(lambda: not looked.missing())
        await looked.stop()

    asyncio.run(scenario())


def test_a_part_that_fails_says_why_and_holds_up_no_other() -> None:
    """Each part is asked on its own, and an error is its answer."""

    async def scenario() -> None:
        bad, hangs = Part(), Part()
        bad.error = OSError("the disk is full")
        bad.answers.set()
        looked = Health({"bad": bad, "hangs": hangs})
        looked.start()
        await _until(lambda: looked.missing() == {"bad": "the disk is full", "hangs": "it has not answered yet"})
        bad.error = KeyError()
        await _until(lambda: looked.missing()["bad"] == "KeyError")
        bad.error = None
        await _until(lambda: looked.missing().keys() == {"hangs"})
        await looked.stop()

    asyncio.run(scenario())
