"""Whether Kafka answers, and what becomes of a run that begins while it does not."""

import asyncio

import pytest

from gateway.api.problems import Kind, Problem
from gateway.monitoring import kafka_pulse
from gateway.monitoring.kafka_pulse import KafkaPulse


class Broker:
    """Answers unless it stands still."""

    def __init__(self) -> None:
        self.goes = asyncio.Event()
        self.asked = 0

    async def ask(self) -> None:
        """Its answer, when it goes."""
        self.asked += 1
        await self.goes.wait()


async def _nothing() -> str:
    return "begun"


def test_a_broker_that_stands_still_is_noticed_with_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked, one question is under way; its answer, late as it is, ends the silence."""
    monkeypatch.setattr(kafka_pulse, "PATIENCE", 0.01)

    async def main() -> None:
        broker = Broker()
        found = KafkaPulse(broker.ask)
        for _ in range(3):
            with pytest.raises(OSError, match="no broker has answered"):
                await found.check()
        assert (found.silent, broker.asked) == (True, 1)
        broker.goes.set()
        await found.check()
        assert (found.silent, broker.asked) == (False, 1)
        await found.check()
        assert broker.asked == 2
        await found.stop()

    asyncio.run(main())


def test_nothing_is_begun_while_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that would begin is refused with 503 at once, and its work is never entered."""
    monkeypatch.setattr(kafka_pulse, "PATIENCE", 0.01)

    async def main() -> None:
        found = KafkaPulse(Broker().ask)
        with pytest.raises(OSError, match="no broker"):
            await found.check()
        with pytest.raises(Problem, match="Nothing was begun") as refused:
            await found.begin("r", _nothing())
        assert refused.value.kind is Kind.UNAVAILABLE
        assert "Retry-After" in refused.value.headers
        assert "id" not in refused.value.extra
        await found.stop()

    asyncio.run(main())


def test_a_caller_that_kafka_left_unanswered_learns_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent may still arrive, so the answer names the run; so does one that was given up for another reason."""
    monkeypatch.setattr(kafka_pulse, "PATIENCE", 0.01)

    async def late() -> str:
        raise Problem(Kind.UNAVAILABLE, "Kafka does not answer; try again.")

    async def main() -> None:
        broker, forever = Broker(), asyncio.Event()
        found = KafkaPulse(broker.ask)

        async def hangs() -> None:
            await forever.wait()

        beginning = asyncio.create_task(found.begin("r", hangs()))
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="no broker"):
            await found.check()
        with pytest.raises(Problem, match="may begin all the same") as refused:
            await beginning
        assert (refused.value.kind, refused.value.extra["id"]) == (Kind.UNAVAILABLE, "r")
        broker.goes.set()
        await found.check()
        with pytest.raises(Problem, match="may begin all the same"):
            await found.begin("r", late())
        assert await found.begin("r", _nothing()) == "begun"

    asyncio.run(main())


def test_other_refusals_stay_what_they_are() -> None:
    """A key that stands for another request is no outage."""

    async def used() -> str:
        raise Problem(Kind.KEY_REUSED, "used")

    async def main() -> None:
        with pytest.raises(Problem, match=r"^used$") as refused:
            await KafkaPulse(Broker().ask).begin("r", used())
        assert refused.value.kind is Kind.KEY_REUSED

    asyncio.run(main())
