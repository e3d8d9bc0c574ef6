"""How other systems' producers send: every codec, and transactions that are committed, aborted, or not yet either."""

import json
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tests.integration.support.external_client import ExternalClient
from tests.integration.support.gateway_world import GatewayWorld, wait
from tests.integration.support.gateways_with_worker import ended, gateways_with_worker, put

__all__ = ["gateways_with_worker"]

ECHO = """
pipeline: NAME
input: {text: string}
nodes: {}
output: {text: "${text}"}
"""
LARGE = "0123456789abcdef" * 320
"""A text that librdkafka packs: below about a thousand bytes it sends a batch as it is."""


@pytest.fixture(scope="module")
def echo(gateways_with_worker: GatewayWorld) -> str:
    """A pipeline that gives a text back."""
    name = f"echo-{uuid.uuid4().hex[:8]}"
    put(gateways_with_worker, ECHO.replace("NAME", name))
    return name


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read(gateways_with_worker: GatewayWorld, echo: str, codec: str) -> None:
    """Alone and many in a batch, and those who come after it are served too."""
    foreign = ExternalClient(gateways_with_worker, echo, **{"compression.type": codec, "linger.ms": 50})
    result = foreign.ask(json.dumps({"text": LARGE}).encode())
    assert (result["status"], result["output"]) == ("finished", {"text": LARGE})
    runs = foreign.batch([json.dumps({"text": f"{number} {LARGE}"}).encode() for number in range(20)])
    for number, run in enumerate(runs):
        assert foreign.result(run)["output"] == {"text": f"{number} {LARGE}"}
    answer = gateways_with_worker.first.http.post(f"/pipelines/{echo}/runs", json={"text": "after"})
    assert ended(gateways_with_worker, answer.json()["id"])["status"] == "finished"


@pytest.fixture
def writer(gateways_with_worker: GatewayWorld) -> Iterator[Producer]:
    """A producer with transactions."""
    producer = Producer({**gateways_with_worker.settings.brokers.confluent(), "transactional.id": f"tx-{uuid.uuid4()}"})
    producer.init_transactions(60)
    yield producer
    producer.flush(10)


def test_requests_of_an_aborted_transaction_never_run(
    gateways_with_worker: GatewayWorld, echo: str, writer: Producer
) -> None:
    """Requests of a transaction begin when it is committed; those of an aborted one never begin, and block no others."""
    foreign = ExternalClient(gateways_with_worker, echo)

    def write() -> str:
        run = str(uuid.uuid4())
        line = json.dumps({"text": run}).encode()
        writer.produce(foreign.topic, line, key=run.encode(), headers=[("millrace-run", run.encode())], partition=0)
        writer.flush(30)
        return run

    def begun(run: str) -> bool:
        return gateways_with_worker.second.http.get(f"/runs/{run}").status_code == 200

    writer.begin_transaction()
    aborted = write()
    writer.abort_transaction(60)
    writer.begin_transaction()
    open_ = write()
    neighbour = gateways_with_worker.first.http.post(f"/pipelines/{echo}/runs", json={"text": "meanwhile"}).json()["id"]
    if foreign.partition_of(neighbour) != 0:  # what stands behind the open transaction in its partition waits with it
        assert ended(gateways_with_worker, neighbour)["status"] == "finished"
    assert not begun(open_)
    writer.commit_transaction(60)
    assert foreign.result(open_)["output"] == {"text": open_}
    writer.begin_transaction()
    last = write()
    writer.commit_transaction(60)
    assert foreign.result(last)["output"] == {"text": last}  # everything before it in the partition has been read
    wait(lambda: ended(gateways_with_worker, neighbour)["status"] == "finished", "the neighbour's end")
    assert not begun(aborted)
    assert aborted not in foreign.runs()
