"""Which services of a worker take tasks."""

import asyncio
from dataclasses import replace

from streams.runtime.pool.executors import CallResult
from streams.runtime.worker.hosting.discover import DiscoveredService, problem_of, services
from streams.runtime.worker.hosting.service_readiness import ServiceReadiness
from streams.service.model_status import ModelStatus
from tests.unit.streams.runtime import sighted

READY, MISSING = ModelStatus("eye", "1", ready=True), ModelStatus("eye", "1", ready=False)


class Readiness:
    """A ServiceReadiness whose models and results of loading can be set."""

    def __init__(self, service: DiscoveredService) -> None:
        self.models: tuple[ModelStatus, ...] = (READY,)
        self.loading = CallResult()
        self.joined = asyncio.Event()
        self.readiness = ServiceReadiness(lambda _: self.models, self._load, self._join, lambda _: None)
        self.readiness.set_services({service.name: service})

    async def _load(self, _: DiscoveredService) -> CallResult:
        return self.loading

    async def _join(self, _: DiscoveredService) -> None:
        self.joined.set()


def service() -> DiscoveredService:
    """A service that uses models."""
    return services(sighted.__name__)[0]


def test_a_service_can_do_without_some_models() -> None:
    """But not without all of them, nor without the one in its slot."""
    assert problem_of("", [MISSING, READY], slot=False) == ""
    assert "eye" in problem_of("", [MISSING, READY], slot=True)
    assert "eye" in problem_of("", [MISSING], slot=False)
    assert problem_of("no key", [READY], slot=False) == "no key"
    assert problem_of("", [], slot=False) == ""


def test_a_service_joins_once_its_model_is_there() -> None:
    """Until then it takes no tasks."""

    async def main() -> None:
        hosted = Readiness(service())
        hosted.models = (MISSING,)
        await hosted.readiness.start()
        assert not hosted.readiness.takes("sighted")
        hosted.models = (READY,)
        hosted.readiness.look()
        await asyncio.wait_for(hosted.joined.wait(), 1)
        assert hosted.readiness.takes("sighted")
        await hosted.readiness.stop()

    asyncio.run(main())


def test_a_service_that_cannot_be_loaded_takes_no_tasks() -> None:
    """It is loaded again when something changes."""

    async def main() -> None:
        loading = replace(service(), loads=True)
        hosted = Readiness(loading)
        hosted.loading = CallResult.failed("out of memory")
        await hosted.readiness.load(loading)
        await hosted.readiness.start()
        assert hosted.readiness.problem("sighted") == "it could not be loaded: out of memory"
        hosted.loading = CallResult()
        hosted.readiness.look()
        await asyncio.wait_for(hosted.joined.wait(), 1)
        assert hosted.readiness.problem("sighted") == ""
        await hosted.readiness.stop()

    asyncio.run(main())


def test_a_discovered_service_survives_its_way_between_processes() -> None:
    """What the child prints is what the worker reads."""
    assert DiscoveredService.from_json(service().to_json()) == service()
