"""Metrics for Prometheus: figures of this process, and statistics of all runs from the history."""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.data.interfaces import Counts
from streams.lifecycle import RunStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one gateway, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "millrace_http_request_seconds",
            "Seconds until an answer was complete; of an event stream until it began.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.clients = Gauge("millrace_sse_clients", "Event streams open now.", registry=self.registry)
        self.events = Counter(
            "millrace_events_total", "Events seen since this gateway started.", ("kind",), registry=self.registry
        )
        self.held = Gauge("millrace_index_runs", "Runs held in memory.", registry=self.registry)
        self.held_bytes = Gauge("millrace_index_bytes", "Bytes of events held in memory.", registry=self.registry)
        self.callbacks = Counter(
            "millrace_callbacks_total", "Callbacks by how they ended.", ("outcome",), registry=self.registry
        )
        self._statistics = _Statistics()
        self.registry.register(self._statistics)

    def text(self, counts: Counts | None) -> bytes:
        """Return the exposition. `counts`: None while the history is unavailable."""
        self._statistics.counts = counts
        return generate_latest(self.registry)


class _Statistics(Collector):
    """Collects runs and node executions by state, as the history has them: the same on every gateway."""

    def __init__(self) -> None:
        self.counts: Counts | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric families."""
        counts = self.counts
        yield GaugeMetricFamily(
            "millrace_history_up", "Whether the run history answers.", value=int(counts is not None)
        )
        if counts is None:
            return
        yield GaugeMetricFamily(
            "millrace_history_behind_events", "Events that have happened and are not recorded yet.", value=counts.behind
        )
        total = GaugeMetricFamily("millrace_runs_total", "Runs of all pipelines.", value=sum(counts.runs.values()))
        yield total
        states = {RunStatus.RUNNING: 0, **{status: 0 for status in RunStatus if status.final}}
        for (_, text), number in counts.runs.items():
            status = RunStatus(text)
            states[status if status.final else RunStatus.RUNNING] += number
        overall = GaugeMetricFamily("millrace_runs_by_state", "Runs of all pipelines by state.", labels=("state",))
        for status, number in states.items():
            overall.add_metric((status.value,), number)
        yield overall
        yield _family("millrace_runs", "Runs by pipeline and status.", "pipeline", counts.runs)
        yield _family(
            "millrace_node_executions", "Node executions by service and status.", "service", counts.executions
        )
        yield _family(
            "millrace_shadow_comparisons",
            "What versions in the shadow gave, beside what callers got.",
            "pipeline",
            counts.shadows,
            "verdict",
        )
        notices = GaugeMetricFamily("millrace_notices", "Notices of ended runs, by state.", labels=("state",))
        for state, number in sorted(counts.notices.items()):
            notices.add_metric((state,), number)
        yield notices
        drift = GaugeMetricFamily(
            "millrace_model_drift",
            "Population stability index of what a model met last against what it learned from.",
            labels=("service", "model", "version", "feature"),
        )
        for labels, psi in sorted(counts.drift.items()):
            drift.add_metric(labels, psi)
        yield drift


def _family(
    name: str, text: str, label: str, counts: Mapping[tuple[str, str], int], second: str = "status"
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label, second))
    for (first, status), number in sorted(counts.items()):
        family.add_metric((first, status), number)
    return family


class RequestTiming:
    """Measures every request by the route's pattern: the path is chosen by clients, and could be anything."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self.app = app
        self.metrics = metrics
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, streaming = self.clock(), 500, False

        def observe() -> None:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).observe(self.clock() - start)

        async def watch(message: Message) -> None:
            nonlocal status, streaming
            if message["type"] == "http.response.start":
                status = message["status"]
                streaming = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
                if streaming:
                    observe()
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            if not streaming:
                observe()


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
