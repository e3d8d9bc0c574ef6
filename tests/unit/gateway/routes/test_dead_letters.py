"""Dead letters over HTTP, on a gateway in memory."""

import base64

from streams.runtime.connections.dead_letters import DeadLetters
from streams.wire.records import Place, Record
from tests.unit.gateway.memory.gateway import MemoryGateway

RUN = "5b0e7c1a-6d7e-4f7e-9d2b-8f2f4a0e3c11"


def give_up(gateway: MemoryGateway, reason: str, value: bytes = b"\xff\x00", topic: str = "task.naps.v1") -> None:
    """A worker gives a record up."""
    record = Record(Place(topic, 0), 4, b"key", value, (("name", b"text"),), 1.0)

    async def write() -> None:
        await DeadLetters(gateway.connections).write(record, "naps", reason, stack="Traceback", run=RUN, path="nap")

    gateway.call(write)


def test_dead_letters_are_listed_and_filtered(gateway: MemoryGateway) -> None:
    """The newest last; `more` says that there are older ones."""
    for number in range(3):
        give_up(gateway, f"listed {number}")
    page = gateway.http.get("/dead-letters?reason=LISTED&limit=2").json()
    assert [letter["reason"] for letter in page["dead_letters"]] == ["listed 1", "listed 2"]
    assert (page["count"], page["more"]) == (2, True)
    (one,) = gateway.http.get(f"/dead-letters?reason=listed%200&run={RUN.upper()}").json()["dead_letters"]
    assert (one["topic"], one["offset"], one["consumer"]) == ("task.naps.v1", 4, "naps")
    assert gateway.http.get("/dead-letters?reason=listed&until=2001-01-01").json()["count"] == 0
    assert gateway.http.get("/dead-letters?limit=0").status_code == 422


def test_one_dead_letter_shows_its_bytes(gateway: MemoryGateway) -> None:
    """The value in base64, and what is text as text; 404 for an id that there is not."""
    give_up(gateway, "shown")
    (listed,) = gateway.http.get("/dead-letters?reason=shown").json()["dead_letters"]
    letter = gateway.http.get(f"/dead-letters/{listed['id']}").json()
    assert base64.b64decode(letter["value_base64"]) == b"\xff\x00"
    assert letter["key"] == "key"
    assert letter["headers"] == [{"name": "name", "value": "text"}]
    assert letter["stack"] == "Traceback"
    for unknown in ("0-999", "nonsense"):
        assert gateway.http.get(f"/dead-letters/{unknown}").status_code == 404
        assert gateway.http.post(f"/dead-letters/{unknown}/resend").status_code == 404


def test_dead_letters_are_sent_again(gateway: MemoryGateway) -> None:
    """To where they were, as they were; each once by a filter, and only with a filter or `all`."""
    give_up(gateway, "again", b"one", topic="again")
    give_up(gateway, "again", b"two", topic="again")
    letters = gateway.http.get("/dead-letters?reason=again").json()["dead_letters"]
    single = gateway.http.post(f"/dead-letters/{letters[0]['id']}/resend").json()
    assert single == {"id": letters[0]["id"], "topic": "again", "run": RUN}
    nothing = gateway.http.post("/dead-letters/resend")
    assert (nothing.status_code, nothing.json()["type"]) == (422, "urn:millrace:invalid")
    sent = gateway.http.post("/dead-letters/resend?topic=again").json()["resent"]
    assert [letter["id"] for letter in sent] == [letters[1]["id"]]
    assert gateway.http.post("/dead-letters/resend?topic=again").json()["resent"] == []
    assert sorted(record.value or b"" for record in gateway.log.topic("again")) == [b"one", b"two"]
    resent = gateway.http.get("/dead-letters?reason=again&resent=true").json()
    assert resent["count"] == 2
