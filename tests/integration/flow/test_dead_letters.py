"""Dead letters over HTTP: read with all there is to know, sent again singly or by filter."""

import base64
import uuid
from typing import Any

import pytest

from streams.runtime.connections.dead_letters import DeadLetter, DeadLetters
from streams.wire.records import Outgoing, Place, Record
from tests.integration.support.gateway_world import GatewayWorld, wait
from tests.integration.support.gateways_with_worker import ended, gateways_with_worker, put, submit

__all__ = ["gateways_with_worker"]

POISON = """
pipeline: NAME
input: {text: string}
nodes: {taste: {service: poison, with: {text: "${text}"}, retry: {attempts: 1}}}
output: {text: "${taste.text}"}
"""


def letters(world: GatewayWorld, **params: Any) -> list[dict[str, Any]]:
    """The dead letters that a filter takes."""
    answer = world.second.http.get("/dead-letters", params=params)
    assert answer.status_code == 200, answer.text
    page: list[dict[str, Any]] = answer.json()["dead_letters"]
    return page


def test_a_failed_task_shows_everything(gateways_with_worker: GatewayWorld) -> None:
    """The letter of a task that failed for good has its bytes, headers, reason and stack."""
    world, name = gateways_with_worker, f"d-{uuid.uuid4().hex[:8]}"
    put(world, POISON.replace("NAME", name))
    run = submit(world, name, text="fail")
    assert ended(world, run)["status"] == "failed"
    (letter,) = wait(lambda: letters(world, run=run), "the letter is there")
    assert (letter["consumer"], letter["path"], letter["attempt"], letter["resent"]) == ("poison", "taste", 1, False)
    whole = world.first.http.get(f"/dead-letters/{letter['id']}").json()
    assert "RuntimeError: it broke" in whole["reason"]
    assert "Traceback" in whole["stack"]
    assert {"ce_id", "millrace-envelope"} <= {header["name"] for header in whole["headers"]}
    assert b"fail" in base64.b64decode(whole["value_base64"])
    assert world.first.http.get("/dead-letters/0-999999").status_code == 404
    assert world.first.http.post("/dead-letters/0-999999/resend").status_code == 404


def test_letters_are_sent_again_by_filter(gateways_with_worker: GatewayWorld) -> None:
    """A filter selects; letters that were sent again are skipped; without a filter, `all` must be given."""
    world, name = gateways_with_worker, f"d-{uuid.uuid4().hex[:8]}"
    put(world, POISON.replace("NAME", name))
    topic = world.connections.names.requests(name)

    async def send() -> None:
        for number in range(3):
            await world.connections.producer.send(Outgoing(topic, None, f"garbage {number}".encode(), ()))

    world.loop(send())
    garbage = wait(lambda: len(now := letters(world, topic=topic)) == 3 and now, "all three are there")
    assert world.first.http.post("/dead-letters/resend").status_code == 422
    answer = world.first.http.post(f"/dead-letters/{garbage[0]['id']}/resend")
    assert (answer.status_code, answer.json()["topic"]) == (200, topic)
    sent = world.first.http.post("/dead-letters/resend", params={"topic": topic, "reason": "NO RECORD"}).json()[
        "resent"
    ]
    ids = {letter["id"] for letter in sent}  # the first may have come back already, as another letter
    assert ids >= {letter["id"] for letter in garbage[1:]}
    assert garbage[0]["id"] not in ids
    wait(lambda: len(letters(world, topic=topic)) == 3 + 1 + len(ids), "each came back")
    assert {letter["id"] for letter in letters(world, topic=topic, resent=True)} == ids | {garbage[0]["id"]}
    back = letters(world, topic=topic, resent=False)
    whole = world.first.http.get(f"/dead-letters/{back[0]['id']}").json()
    assert "millrace-resent" in {header["name"] for header in whole["headers"]}
    assert letters(world, topic=topic, since="2999-01-01T00:00:00Z") == []


def test_the_newest_are_read_from_the_end(gateways_with_worker: GatewayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, only as many are read as the answer needs; filtered ones count, gaps do not."""
    world, name = gateways_with_worker, f"d-{uuid.uuid4().hex[:8]}"
    all_ = DeadLetters(world.connections)
    monkeypatch.setattr("streams.runtime.connections.dead_letters._STEP", 4)
    decoded = 0
    decode = DeadLetters._decode

    async def counted(self: DeadLetters, record: Record) -> DeadLetter:
        nonlocal decoded
        decoded += 1
        return await decode(self, record)

    async def write() -> None:
        for number in range(60):
            record = Record(Place("t", 0), number, str(number).encode(), b"")
            await all_.write(record, name, f"reason {number}", run=str(uuid.uuid4()))

    world.loop(write())
    monkeypatch.setattr(DeadLetters, "_decode", counted)
    answer = world.second.http.get("/dead-letters", params={"consumer": name, "limit": 7}).json()
    assert [letter["reason"] for letter in answer["dead_letters"]] == [f"reason {number}" for number in range(53, 60)]
    assert (answer["count"], answer["more"]) == (7, True)
    assert decoded <= world.settings.partitions * (7 + 1 + 4)
    assert world.second.http.get("/dead-letters", params={"consumer": name, "limit": 60}).json()["more"] is False
    some = letters(world, consumer=name, reason="reason 1")
    assert [letter["reason"] for letter in some] == [f"reason {number}" for number in (1, *range(10, 20))]
