"""What a worker announces of its services in the catalogue."""

import contextlib
import time

import psutil

from streams.runtime.catalogue.announcements import Announcement
from streams.runtime.connections.connections import Connections
from streams.runtime.models.models import Models
from streams.runtime.worker.hosting.discover import DiscoveredService
from streams.runtime.worker.hosting.service_host import ServiceHost
from streams.runtime.worker.hosting.service_processes import ServiceProcesses
from streams.runtime.worker.hosting.service_readiness import ServiceReadiness
from streams.service.model_status import summarise


class ServiceAnnouncements:
    """Builds the announcements of one worker's services."""

    def __init__(
        self,
        worker: str,
        connections: Connections,
        readiness: ServiceReadiness,
        processes: ServiceProcesses,
        models: Models,
        host: ServiceHost,
    ) -> None:
        self._worker = worker
        self._connections = connections
        self._readiness = readiness
        self._processes = processes
        self._models = models
        self._host = host
        self._announced_waits: frozenset[tuple[str, str]] = frozenset()

    def records(self) -> list[Announcement]:
        """Return an announcement for every service of this worker, as it is now."""
        memory = _resident_memory()
        self._announced_waits = self._waits()
        return [self._announcement(service, memory) for service in self._readiness.services.values()]

    def outdated(self) -> bool:
        """Return whether services wait for other parts than at the last `records`."""
        return self._announced_waits != self._waits()

    def _announcement(self, service: DiscoveredService, memory: int) -> Announcement:
        name, settings = service.name, self._connections.settings
        models = summarise(self._models.statuses(name, service.models))
        problems = dict.fromkeys((models.problem, service.check, service.remark, self._readiness.problem(name)))
        return Announcement(
            service=name,
            worker=self._worker,
            contract=service.contract,
            at=time.time(),
            period=settings.announce,
            running=self._host.running(name),
            capacity=self._processes.capacity(service),
            memory=memory,
            model=models.model,
            model_version=models.model_version,
            problem="; ".join(filter(None, problems)) or None,
            able=self._readiness.takes(name),
            waiting_for=self._connections.outages.of(name),
        )

    def _waits(self) -> frozenset[tuple[str, str]]:
        """Return pairs of a service and a part that it waits for."""
        outages = self._connections.outages
        return frozenset((name, part) for name in self._readiness.services for part in outages.of(name))


def _resident_memory() -> int:
    """Return the bytes of memory that this process and its children hold."""
    process = psutil.Process()
    total = 0
    for each in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += each.memory_info().rss
    return total
