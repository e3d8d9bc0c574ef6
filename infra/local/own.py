"""Millrace's own processes: preparation, flow and recorder, workers, gateway."""

import sys
from collections.abc import Mapping, Sequence
from importlib import resources

import httpx
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from infra.local.part import Part
from infra.local.site import Site

FLOW = ("flow", "recorder")
"""The agents that every pipeline needs."""
_CONTRACT = ".input.avsc"


def services() -> tuple[str, ...]:
    """Names of all services, as their checked-in contracts tell: a new service needs no line here."""
    folder = resources.files("schemas").joinpath("avro", "services")
    return tuple(
        sorted(file.name.removesuffix(_CONTRACT) for file in folder.iterdir() if file.name.endswith(_CONTRACT))
    )


def worker(name: str, agents: Sequence[str]) -> Part:
    """A worker process that hosts these agents; ready when each of them takes part in its consumer group."""
    return Part(
        name=name,
        needs=("apply",),
        environ=_environ,
        command=lambda _: [sys.executable, "-m", "agents", *agents],
        ready=lambda site: _consume(site, agents),
    )


def _environ(site: Site) -> Mapping[str, str]:
    return {**site.settings().environ(), "PYTHONUNBUFFERED": "1"}


def _consume(site: Site, agents: Sequence[str]) -> bool:
    settings = site.settings()
    client = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0})
    groups = [f"{settings.topic_prefix}{agent}" for agent in agents]
    try:
        described = [answer.result() for answer in client.describe_consumer_groups(groups, request_timeout=2).values()]
    except KafkaException:
        return False
    return all(group.state is ConsumerGroupState.STABLE and group.members for group in described)


def _gateway_ready(site: Site) -> bool:
    settings = site.settings()
    try:
        return httpx.get(f"http://{settings.http_host}:{settings.http_port}/health/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False


APPLY = Part(
    name="apply",
    needs=("kafka", "registry", "s3", "postgres"),
    environ=_environ,
    command=lambda _: [sys.executable, "-m", "streams.cli", "apply"],
    ready=None,
)
GATEWAY = Part(
    name="gateway",
    needs=("apply",),
    ports=("gateway",),
    environ=_environ,
    command=lambda _: [sys.executable, "-m", "gateway"],
    ready=_gateway_ready,
)
