"""What other systems' producers send to a requests topic: each form is read, and what cannot be read is answered."""

import base64
import json
import time
import uuid
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer

from schemas.encoding.codec import frame
from streams.wire.records import Place
from tests.acceptance.command import millrace
from tests.integration.support.external_client import ExternalClient, add_partitions, of_subject
from tests.integration.support.gateway_world import GatewayWorld
from tests.integration.support.gateways_with_worker import ended, gateways_with_worker, put, submit

__all__ = ["gateways_with_worker"]

ORDERS = """
pipeline: NAME
input:
  order: string
  pieces: {type: int, default: 1}
  to: {type: {city: string, country: {code: string}}, default: {city: Gent, country: {code: BE}}}
nodes: {}
output: {order: "${order}", pieces: "${pieces}", city: "${to.city}"}
"""
LINE = b'{"order": "a", "pieces": 3}'
DONE = {"order": "a", "pieces": 3, "city": "Gent"}


@pytest.fixture(scope="module")
def orders(gateways_with_worker: GatewayWorld) -> ExternalClient:
    """A producer of orders."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    put(gateways_with_worker, ORDERS.replace("NAME", name))
    return ExternalClient(gateways_with_worker, name)


def completed(result: dict[str, Any]) -> Any:
    """The output of a result; fails with the reason of one that has none."""
    assert result["status"] == "finished", result["failure"]["reason"]
    return result["output"]


def event(**more: Any) -> bytes:
    """A CloudEvent in structured mode."""
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.ordered", **more}).encode()


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (LINE, b"application/vnd.acme+json"),
        (LINE, b"text/plain; charset=utf-8"),
        (LINE, b"Application/JSON"),
        (LINE, b"application/octet-stream"),
        (LINE, b"avro/binary"),
        (LINE, b"\xff\xfe"),
        (LINE, b""),
        (LINE, None),
        (b"\xef\xbb\xbf" + LINE, None),
        (b"\xef\xbb\xbf \r\n" + LINE, b"application/json"),
        (event(data={"order": "a", "pieces": 3}), b"application/cloudevents+json; charset=UTF-8"),
        (event(data=LINE.decode(), datacontenttype="text/plain"), b"application/cloudevents+json"),
        (event(data_base64=base64.b64encode(LINE).decode()), b"application/cloudevents+json"),
    ],
)
def test_json_is_read_by_its_bytes(orders: ExternalClient, value: bytes, content_type: bytes | None) -> None:
    """Whatever its producer calls it, an object in JSON is the input, and so is the data of an event."""
    result = orders.ask(value, [("content-type", content_type)])
    assert (result["status"], result["output"]) == ("finished", DONE)


def test_an_event_in_binary_mode(orders: ExternalClient) -> None:
    """The attributes of a CloudEvent in binary mode are headers, and its data is the value."""
    attributes = {"ce_specversion": "1.0", "ce_id": "7", "ce_source": "/shop", "ce_type": "shop.ordered"}
    headers = [(name, value.encode()) for name, value in attributes.items()]
    assert orders.ask(LINE, [*headers, ("content-type", b"application/json")])["output"] == DONE


def test_headers_without_a_value(orders: ExternalClient, gateways_with_worker: GatewayWorld) -> None:
    """A null is no value: what names nothing begins a run all the same, and a letter that has one can be shown and sent again."""
    nulls = [(name, None) for name in ("content-type", "millrace-run", "millrace-digest", "traceparent", "x", "x")]
    assert orders.ask(LINE, nulls)["output"] == DONE
    sent = orders.send(b"no order", nulls)
    letter = orders.letter(sent)
    assert letter.headers == tuple(nulls)
    shown = millrace(
        "dead-letters",
        "show",
        letter.id,
        home=gateways_with_worker.settings.home,
        more=gateways_with_worker.settings.environ(),
    )
    assert shown.status == 0, shown.err
    assert [line.split() for line in shown.out.splitlines() if line.startswith("header")] == [
        ["header", name, "none"] for name, _ in nulls
    ]
    whole = millrace(
        "dead-letters",
        "show",
        letter.id,
        "--output",
        "json",
        home=gateways_with_worker.settings.home,
        more=gateways_with_worker.settings.environ(),
    )
    assert json.loads(whole.out)["headers"] == [{"name": name, "value": None} for name, _ in nulls]
    over_http = gateways_with_worker.first.http.get(f"/dead-letters/{letter.id}").json()
    assert over_http["headers"] == json.loads(whole.out)["headers"]
    again = gateways_with_worker.first.http.post(f"/dead-letters/{letter.id}/resend")
    assert again.status_code == 200, again.text
    back = orders.letter(orders.send(b"marker"))  # what was sent before it has become a letter too
    assert back.value == b"marker"
    letters = gateways_with_worker.first.http.get(
        "/dead-letters", params={"topic": orders.topic, "limit": 1000}
    ).json()["dead_letters"]
    repeated = [gateways_with_worker.first.http.get(f"/dead-letters/{summary['id']}").json() for summary in letters]
    headers = [
        whole_letter["headers"]
        for whole_letter in repeated
        if {"name": "millrace-resent", "value": letter.id} in whole_letter["headers"]
    ]
    assert [pairs[:-1] for pairs in headers] == [over_http["headers"]]


def test_json_behind_the_id_of_a_json_schema(orders: ExternalClient) -> None:
    """Confluent's serializer of JSON Schema writes an id before the JSON; its schema may be of the topic's own subject."""
    title = json.dumps({"title": orders.topic, "type": "object", "properties": {"order": {"type": "string"}}})
    own, elsewhere = (
        JSONSerializer(title, orders.registry, conf=of_subject(subject))
        for subject in (orders.subject, f"elsewhere-{uuid.uuid4()}")
    )
    for serializer in (own, elsewhere):
        value = orders.serialized(serializer, {"order": "a", "pieces": 3})
        assert value[:1] == b"\0"
        assert completed(orders.ask(value)) == DONE
    short = orders.ask(orders.serialized(own, {"pieces": 3}))
    assert "order: is missing" in short["failure"]["reason"]
    broken = orders.ask(orders.serialized(own, {"order": "a"})[:-1])
    assert "not JSON" in broken["failure"]["reason"]


def test_a_schema_that_refers_to_others(orders: ExternalClient) -> None:
    """What other subjects define is looked up, and what those refer to in turn."""
    mark = uuid.uuid4().hex[:8]
    country = {"type": "record", "name": "Country", "namespace": "shop", "fields": [{"name": "code", "type": "string"}]}
    address = {
        "type": "record",
        "name": "shop.Address",
        "fields": [{"name": "city", "type": "string"}, {"name": "country", "type": "Country"}],
    }
    order = {
        "type": "record",
        "name": "shop.Order",
        "fields": [
            {"name": "order", "type": "string"},
            {"name": "pieces", "type": "int"},
            {"name": "to", "type": "Address"},
        ],
    }
    registry = orders.registry
    registry.register_schema(f"country-{mark}", Schema(json.dumps(country), "AVRO"))
    to_country = SchemaReference("shop.Country", f"country-{mark}", 1)
    registry.register_schema(f"address-{mark}", Schema(json.dumps(address), "AVRO", [to_country]))
    to_address = SchemaReference("shop.Address", f"address-{mark}", 1)
    schema = Schema(json.dumps(order), "AVRO", [to_address])
    serializer = AvroSerializer(registry, schema, conf=of_subject(f"order-{mark}"))
    value = {"order": "a", "pieces": 3, "to": {"city": "Brugge", "country": {"code": "BE"}}}
    assert completed(orders.ask(orders.serialized(serializer, value))) == {**DONE, "city": "Brugge"}


def test_the_clock_of_a_producer_does_not_count(orders: ExternalClient, gateways_with_worker: GatewayWorld) -> None:
    """The broker says when a request came: one of 2020 is not old, and one of the next century is no error."""
    before = time.time()
    for moment in (1_577_836_800_000, 1, 4_102_444_800_000):
        run = str(uuid.uuid4())
        sent = orders.send(LINE, [("millrace-run", run.encode())], key=run.encode(), timestamp=moment)
        place = Place(sent.topic, sent.partition)
        (record,) = gateways_with_worker.loop(
            gateways_with_worker.connections.offsets.read(place, sent.offset, sent.offset + 1)
        )
        assert before - 60 < record.timestamp < time.time() + 60
        assert completed(orders.result(run)) == DONE


def test_a_record_that_is_no_request_is_answered_with_the_reason(orders: ExternalClient) -> None:
    """Each gets a result that says what is wrong with it."""
    reasons = {
        b"": "neither an object in JSON",
        b"order=a": "neither an object in JSON",
        b"\x00\x00": "wire format",
        frame(2**31 - 1, b"x"): "cannot be used",
        b'[{"order": "a"}]': "got a list",
        b'{"order": "a", "order": "b"}': "'order' appears twice",
        b'{"order": "a\\u0000"}': "NUL",
        b'{"order": "\xff"}': "UTF-8",
        b'{"order": NaN}': "NaN",
    }
    for value, reason in reasons.items():
        result = orders.ask(value)
        assert result["status"] == "failed"
        assert reason in result["failure"]["reason"], result
    for value, reason in {
        event(): "no data",
        LINE: "not an object with a specversion",
        event(data_base64="%"): "base64",
    }.items():
        result = orders.ask(value, [("content-type", b"application/cloudevents+json")])
        assert reason in result["failure"]["reason"], result


@pytest.mark.parametrize("text", [b'{"order": "a", "order": "b"}', b'{"order": "a\\u0000"}', b'{"order": "\\ud800"}'])
def test_both_edges_refuse_the_same(orders: ExternalClient, gateways_with_worker: GatewayWorld, text: bytes) -> None:
    """What HTTP does not take, Kafka does not take either, and both say it in the same words."""
    name = gateways_with_worker.connections.names.pipeline_of(orders.topic)
    answer = gateways_with_worker.first.http.post(
        f"/pipelines/{name}/runs", content=text, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["problem"] in orders.ask(text)["failure"]["reason"]


def test_a_text_in_avro_is_held_to_the_same(orders: ExternalClient) -> None:
    """A NUL is refused in whatever format it comes."""
    schema = {"type": "record", "name": "shop.Short", "fields": [{"name": "order", "type": "string"}]}
    serializer = AvroSerializer(orders.registry, json.dumps(schema), conf=of_subject(f"short-{uuid.uuid4()}"))
    assert completed(orders.ask(orders.serialized(serializer, {"order": "a"}))) == {**DONE, "pieces": 1}
    assert "NUL" in orders.ask(orders.serialized(serializer, {"order": "a\0"}))["failure"]["reason"]


def test_a_run_has_one_id_however_it_is_written(orders: ExternalClient, gateways_with_worker: GatewayWorld) -> None:
    """A run that its producer names in capitals is found in either form, and its result has the one that is kept."""
    run = str(uuid.uuid4())
    orders.send(LINE, [("millrace-run", run.upper().encode())], key=run.upper().encode())
    assert orders.result(run)["run"] == run
    assert ended(gateways_with_worker, run)["status"] == "finished"
    for form in (run, run.upper()):
        for path in ("", "/result", "/events", "/explain"):
            assert gateways_with_worker.second.http.get(f"/runs/{form}{path}").status_code == 200, (form, path)
        assert gateways_with_worker.second.http.get(f"/runs/{form}").json()["id"] == run
    assert gateways_with_worker.second.http.get("/runs/no-run").status_code == 404


def test_partitions_that_are_added_are_read(gateways_with_worker: GatewayWorld) -> None:
    """A request on one is served, and so are those over HTTP wherever they come to stand; the pipeline can be changed still."""
    name = f"grown-{uuid.uuid4().hex[:8]}"
    put(gateways_with_worker, ORDERS.replace("NAME", name))
    count = gateways_with_worker.settings.partitions + 2
    add_partitions(gateways_with_worker.settings, gateways_with_worker.connections.names.requests(name), count)
    grown = ExternalClient(gateways_with_worker, name)
    runs = [str(uuid.uuid4()) for _ in range(count)]
    for partition, run in enumerate(runs):
        grown.send(LINE, [("millrace-run", run.encode())], key=run.encode(), partition=partition)
    for run in runs:
        assert completed(grown.result(run)) == DONE
    for run in [submit(gateways_with_worker, name, order="a") for _ in range(count)]:
        assert ended(gateways_with_worker, run)["status"] == "finished"
    put(gateways_with_worker, ORDERS.replace("NAME", name).replace("default: 1}", "default: 2}"))
    assert ended(gateways_with_worker, submit(gateways_with_worker, name, order="a"))["output"]["pieces"] == 2
