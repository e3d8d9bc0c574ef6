"""Millrace's own processes: preparation, flow, recorder, workers, gateway."""

import os
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib import resources

from infra.local.parts import web
from infra.local.parts.part import Part
from infra.local.processes import logs
from infra.local.stack_context import StackContext

FLOW = ("flow", "retry", "models")
"""The agents that every pipeline needs, and the one that watches which model versions serve."""
RECORDER = ("recorder",)
"""Runs in a separate process, so that writing history does not slow runs down and neither can crash the other."""
_READY = "INFO agents: ready"
_CONTRACT = ".input.avsc"
_GRACE = 40.0
"""Seconds: a worker gives its tasks 20 to finish, and then leaves its groups. Killed earlier, its tasks would count as crashed."""


def services() -> tuple[str, ...]:
    """List all services by their checked-in contracts, so that a new service needs no line here."""
    folder = resources.files("schemas").joinpath("avro", "services")
    return tuple(
        sorted(file.name.removesuffix(_CONTRACT) for file in folder.iterdir() if file.name.endswith(_CONTRACT))
    )


def worker(name: str, agents: Sequence[str]) -> Part:
    """Describe a worker process that hosts these agents; it is ready once its log says that it joined every consumer group."""
    return Part(
        name=name,
        needs=("apply",),
        environ=_environ,
        command=lambda _: [sys.executable, "-m", "agents", *agents],
        ready=lambda context: any(line.endswith(_READY) for line in logs.since_start(logs.path(context.home, name))),
        grace=_GRACE,
    )


def _environ(context: StackContext) -> Mapping[str, str]:
    environ = {**os.environ, **context.settings().environ(), "PYTHONUNBUFFERED": "1"}
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # Nothing may be written beside the sources, and compiling every module at every start would triple its time.
        environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(context.home / "pycache")}
    return environ


def _gateway_ready(context: StackContext) -> bool:
    return web.status(context.ports["gateway"], "/health/ready") == HTTPStatus.OK


APPLY = Part(
    name="apply",
    needs=("kafka", "registry", "s3", "postgres"),
    environ=_environ,
    command=lambda _: [sys.executable, "-m", "streams.cli", "apply", "--yes"],
    ready=None,
)
GATEWAY = Part(
    name="gateway",
    needs=("apply",),
    ports=("gateway",),
    environ=_environ,
    command=lambda _: [sys.executable, "-m", "gateway"],
    ready=_gateway_ready,
    relapse=60.0,
)
