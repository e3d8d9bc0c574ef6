"""Anything at all on a requests topic: each record is a run or a dead letter, and the runs of others go on meanwhile."""

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.encoding.codec import frame
from streams.messages import EventKind
from streams.runtime.connections.dead_letters import DeadLetters
from streams.wire.records import Place
from tests.integration.support.external_client import ExternalClient, Sent
from tests.integration.support.gateway_world import GatewayWorld, wait
from tests.integration.support.gateways_with_worker import ended, gateways_with_worker, put, submit

__all__ = ["gateways_with_worker"]

PIPELINE = """
pipeline: NAME
input: {text: string, numbers: {type: [int], default: []}, any: {type: any, default: 0}}
nodes: {}
output: {text: "${text}", count: "${size(numbers)}"}
"""
NEIGHBOUR = """
pipeline: NAME
input: {n: int}
nodes: {plus: {service: add-one, with: {n: "${n}"}}}
output: {n: "${plus.n}"}
"""
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
NAMES = (
    "content-type",
    "millrace-run",
    "millrace-digest",
    "millrace-envelope",
    "millrace-spilled",
    "traceparent",
    "ce_id",
)
TYPES = (
    b"application/json",
    b"application/cloudevents+json",
    b"application/avro",
    b"text/plain; charset=utf-16",
    b"\xff",
)
RECORDS = 120


class Hand:
    """Makes up records; the same ones for the same seed."""

    def __init__(self, seed: int, known: list[bytes]) -> None:
        """`known`: records that can be read, to be spoilt."""
        self.random = random.Random(seed)
        self._known = known

    def value(self) -> bytes | None:
        """A value, or none: noise, something in the wire format, JSON that is nearly right."""
        roll = self.random.random()
        if roll < 0.05:
            return None
        if roll < 0.2:
            return self._noise(self.random.choice((0, 1, 4, 5, 6, 300, 5000)))
        if roll < 0.35:
            return frame(self.random.choice((0, 1, 2, 7, 2**31, 2**32 - 1)), self._noise(self.random.randrange(50)))
        if roll < 0.45:
            return b"[" * self.random.choice((1, 70, 20_000))
        return self._spoilt(self.random.choice(self._known))

    def headers(self) -> list[tuple[str, bytes | None]]:
        """Some headers: names of ours and others, twice perhaps, values that are no text or none at all."""
        headers: list[tuple[str, bytes | None]] = []
        for _ in range(self.random.randrange(6)):
            name = self.random.choice((*NAMES, "x", "", "ümlaut\u0000", "CONTENT-TYPE"))
            headers.append((name, self.random.choice((None, b"", *TYPES, self._noise(40), self._uuid()))))
        return headers * self.random.choice((1, 1, 2))

    def key(self) -> bytes | None:
        """A key, or none."""
        return self.random.choice((None, b"", b"key", self._noise(16), self._uuid(), b"k" * 3000))

    def moment(self) -> int:
        """Milliseconds: now, long ago, far away."""
        return self.random.choice((0, 0, 1, 1_577_836_800_000, 253_402_300_800_000, 2**62))

    def _spoilt(self, data: bytes) -> bytes:
        for _ in range(self.random.randrange(3)):
            at = self.random.randrange(len(data))
            data = data[:at] + self._noise(self.random.randrange(3)) + data[at + self.random.randrange(2) :]
        return data

    def _uuid(self) -> bytes:
        return str(uuid.UUID(int=self.random.getrandbits(128))).encode()

    def _noise(self, size: int) -> bytes:
        return self.random.randbytes(size)


@pytest.fixture(scope="module")
def names(gateways_with_worker: GatewayWorld) -> tuple[str, str]:
    """Two pipelines: one that is written to, and one beside it."""
    mark = uuid.uuid4().hex[:8]
    names = f"fuzz-{mark}", f"beside-{mark}"
    for name, text in zip(names, (PIPELINE, NEIGHBOUR), strict=True):
        put(gateways_with_worker, text.replace("NAME", name))
    return names


def known(world: GatewayWorld, name: str) -> list[bytes]:
    """Requests that can be read, in each form."""
    version = world.first.app.components.catalogues.pipelines.version(name)
    assert version is not None
    topology = world.first.app.components.catalogues.pipelines.topology(version.digest)
    assert topology is not None
    value = {"text": "täxt", "numbers": [1, 2**40], "any": {"a": [None, 1.5, "x"]}}
    line = json.dumps(value).encode()
    event = json.dumps({"specversion": "1.0", "id": "1", "source": "/", "type": "t", "data": value}).encode()
    avro = world.loop(
        world.connections.codec.encode(f"{world.connections.names.requests(name)}-value", topology.input, value)
    )
    return [line, b"\xef\xbb\xbf" + line, event, avro]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_record_blocks_others(gateways_with_worker: GatewayWorld, names: tuple[str, str], seed: int) -> None:
    """While records of noise come in every codec, a neighbour's runs end, and a good request behind each dozen is served."""
    fuzzed, beside = names
    hand = Hand(seed, known(gateways_with_worker, fuzzed))
    writers = [ExternalClient(gateways_with_worker, fuzzed, **{"compression.type": codec}) for codec in CODECS]
    sent: list[Sent] = []
    for number in range(RECORDS):
        writer = hand.random.choice(writers)
        partition = hand.random.randrange(gateways_with_worker.settings.partitions)
        sent.append(
            writer.send(hand.value(), hand.headers(), key=hand.key(), partition=partition, timestamp=hand.moment())
        )
        if number % 12 == 11:
            run = submit(gateways_with_worker, beside, n=number)
            good = writer.ask(json.dumps({"text": f"{number}"}).encode())
            assert (good["status"], good["output"]) == ("finished", {"text": f"{number}", "count": 0})
            assert ended(gateways_with_worker, run)["output"] == {"n": number + 1}
    wait(
        lambda: fates(gateways_with_worker, sent).keys() >= set(sent),
        lambda: set(sent) - fates(gateways_with_worker, sent).keys(),
        60,
    )
    assert all(len(fate) == 1 for fate in fates(gateways_with_worker, sent).values()), fates(gateways_with_worker, sent)


def fates(world: GatewayWorld, sent: list[Sent]) -> dict[Sent, list[str]]:
    """What became of records: the runs that they began, and the letters."""
    fates: dict[Sent, list[str]] = {}
    for place, fate in (*begun(world), *letters(world)):
        if place in sent:
            fates.setdefault(place, []).append(fate)
    return fates


def begun(world: GatewayWorld) -> Iterator[tuple[Sent, str]]:
    """The record of each run that was accepted, as its event says, and the run."""

    async def read() -> dict[tuple[str, str], None]:
        connections = world.connections
        runs: dict[tuple[str, str], None] = {}
        places = [
            Place(connections.events, number)
            for number in range(await connections.producer.partitions(connections.events))
        ]
        for place, end in (await connections.offsets.ends(places)).items():
            for record in await connections.offsets.read(place, 0, end):
                sent = await connections.wire.read_event(record)
                if sent.event.kind is EventKind.ACCEPTED and "@" in str(sent.event.data.get("source")):
                    runs[str(sent.event.data["source"]), sent.event.run.id] = None
        return runs

    for source, run in world.loop(read()):
        topic, _, rest = source.rpartition("/")
        partition, _, offset = rest.partition("@")
        yield Sent(topic, int(partition), int(offset)), f"run {run}"


def letters(world: GatewayWorld) -> Iterator[tuple[Sent, str]]:
    """The place of each dead letter, and why it is one."""

    async def read() -> list[Any]:
        return [letter async for letter in DeadLetters(world.connections).read()]

    for letter in world.loop(read()):
        yield Sent(letter.topic, letter.partition, letter.offset), f"letter: {letter.reason}"
