"""Pipelines and services over HTTP: the catalogue, definitions, and the documents made of them."""

import asyncio
import concurrent.futures
import json
import secrets
import time
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from streams.compile import compile_pipeline
from streams.runtime.catalogue.announcements import Announcement, Announcer
from streams.runtime.catalogue.version import Owner
from streams.runtime.catalogue.writer import CatalogueWriter
from tests.integration.support.gateway_services import ECHO
from tests.integration.support.gateway_world import GREET, Gateway, GatewayWorld, wait

YAML = {"content-type": "application/yaml"}


def fresh(text: str = GREET) -> tuple[str, str]:
    """A pipeline of a name of its own, and that name."""
    name = f"p-{secrets.token_hex(4)}"
    return name, text.replace("greet", name)


def seen(gateway: Gateway, path: str, status: int = 200) -> Any:
    """What is at a path, when the gateway has heard of it."""
    wait(lambda: gateway.http.get(path).status_code == status, f"{path} is {status}")
    return gateway.http.get(path)


def test_define_change_and_remove(gateways: GatewayWorld) -> None:
    """A pipeline defined on one gateway is on the other, can be changed and removed there, and keeps its source."""
    world = gateways
    name, text = fresh()
    path = f"/pipelines/{name}"
    made = world.first.http.put(path, content=text, headers=YAML)
    assert (made.status_code, made.headers["location"]) == (201, path)
    there = seen(world.second, path)
    assert there.json()["definition"] == text
    assert there.json()["digest"] == made.json()["digest"]
    assert there.headers["etag"] == made.headers["etag"]
    assert there.json()["input"]["properties"]["times"]["maximum"] == 9
    assert {node["kind"] for node in there.json()["graph"]["nodes"]} == {"value", "out"}
    assert name in {one["name"] for one in world.second.http.get("/pipelines").json()["pipelines"]}
    changed = world.second.http.put(path, content=text.replace("'hello '", "'hi '"), headers=YAML)
    assert changed.status_code == 200
    assert changed.headers["etag"] != made.headers["etag"]
    assert world.second.http.delete(path).status_code == 204
    assert seen(world.first, path, 404).headers["content-type"] == "application/problem+json"
    assert world.first.http.post(f"{path}/runs", json={"name": "x"}).status_code == 404
    assert world.second.http.delete(path).status_code == 404
    assert world.first.http.put(path, content=text, headers=YAML).status_code == 201


def test_a_definition_in_json(gateways: GatewayWorld) -> None:
    """JSON is taken where YAML is."""
    name = f"p-{secrets.token_hex(4)}"
    body = {
        "pipeline": name,
        "input": {"n": "int"},
        "nodes": {"twice": {"value": "${n * 2}"}},
        "output": {"n": "${twice}"},
    }
    answer = gateways.first.http.put(f"/pipelines/{name}", json=body)
    assert answer.status_code == 201, answer.text
    assert gateways.first.http.get(f"/pipelines/{name}?format=yaml").json() == body


def test_every_problem_of_a_definition_at_once(gateways: GatewayWorld) -> None:
    """A definition that cannot be compiled is a 422 with every problem: place, line, column, and what to do."""
    text = """
pipeline: broken
input: {name: strin}
nodes:
  a: {service: no-such-service, with: {x: "${name}"}}
  b: {value: "${nmae}"}
output: {text: "${c}"}
"""
    answer = gateways.first.http.put("/pipelines/broken", content=text, headers=YAML)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    errors = answer.json()["errors"]
    assert len(errors) >= 1
    assert all(one["problem"] and one["line"] for one in errors)
    text = text.replace("strin}", "string}")
    errors = gateways.first.http.put("/pipelines/broken", content=text, headers=YAML).json()["errors"]
    assert {one["line"] for one in errors} >= {5, 6, 7}
    assert gateways.first.http.get("/pipelines/broken").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("other-name", GREET, "application/yaml", 422),
        ("greet2", "", "application/yaml", 422),
        ("greet2", "[1, 2]", "application/json", 422),
        ("greet2", "a: [", "application/yaml", 422),
        ("greet2", "!!python/object/apply:os.system ['true']", "application/yaml", 422),
        ("greet2", b"\xff\xfe", "application/yaml", 400),
        ("greet2", "x" * 1_100_000, "application/yaml", 413),
        ("greet2", GREET, "image/png", 415),
        ("Greet", GREET.replace("greet", "Greet"), "application/yaml", 422),
    ],
)
def test_definitions_that_cannot_be(gateways: GatewayWorld, path: str, body: Any, kind: str, status: int) -> None:
    """Whatever is sent as a definition, the answer is a problem of the caller, never ours."""
    answer = gateways.first.http.put(f"/pipelines/{path}", content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_billion_laughs(gateways: GatewayWorld) -> None:
    """A definition that unfolds without bound is refused quickly."""
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert gateways.first.http.put("/pipelines/laughs", content=laughs, headers=YAML).status_code == 422


def test_changing_only_what_was_read(gateways: GatewayWorld) -> None:
    """If-Match changes only that version, If-None-Match only makes; a stale writer is told so."""
    world = gateways
    name, text = fresh()
    path = f"/pipelines/{name}"
    assert world.first.http.put(path, content=text, headers={**YAML, "if-match": '"1-abc"'}).status_code == 412
    first = world.first.http.put(path, content=text, headers={**YAML, "if-none-match": "*"})
    assert first.status_code == 201
    assert world.first.http.put(path, content=text, headers={**YAML, "if-none-match": "*"}).status_code == 412
    etag = first.headers["etag"]
    second = world.first.http.put(path, content=text.replace("'hello '", "'b '"), headers={**YAML, "if-match": etag})
    assert second.status_code == 200
    wait(lambda: world.second.http.get(path).headers["etag"] == second.headers["etag"], "the other one sees it")
    for gateway in (world.first, world.second):
        stale = gateway.http.put(path, content=text.replace("'hello '", "'c '"), headers={**YAML, "if-match": etag})
        assert stale.status_code == 412
        assert gateway.http.delete(path, headers={"if-match": etag}).status_code == 412
    assert world.second.http.delete(path, headers={"if-match": second.headers["etag"]}).status_code == 204


def test_of_two_writers_at_once_one_wins(gateways: GatewayWorld) -> None:
    """Of several changes of the same version at once, on both gateways, exactly one is made."""
    world = gateways
    name, text = fresh()
    path = f"/pipelines/{name}"
    etag = world.first.http.put(path, content=text, headers=YAML).headers["etag"]
    seen(world.second, path)
    texts = [text.replace("'hello '", f"'v{number} '") for number in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda n: (world.first, world.second)[n % 2].http.put(
                    path, content=texts[n], headers={**YAML, "if-match": etag}
                ),
                range(6),
            )
        )
    assert sorted(one.status_code for one in answers) == [200] + [412] * 5, [one.text for one in answers]
    winner = next(n for n, one in enumerate(answers) if one.status_code == 200)
    for gateway in (world.first, world.second):
        wait(
            lambda gateway=gateway: gateway.http.get(path).json()["definition"] == texts[winner], "both have the winner"
        )


def test_a_pipeline_that_git_owns_is_read_only(gateways: GatewayWorld) -> None:
    """What is kept in git, and what belongs to a service, cannot be changed or removed over HTTP."""
    world = gateways
    name, text = fresh()
    gateway = world.first.app.components
    writer = CatalogueWriter(gateway.connections, gateway.catalogues.pipelines)
    publish = writer.publish(compile_pipeline(text, {}), text, Owner.GIT)
    loop = world.first.loop
    asyncio.run_coroutine_threadsafe(publish, loop).result(20)
    refused = world.first.http.put(f"/pipelines/{name}", content=text, headers=YAML)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:millrace:read-only")
    assert world.first.http.delete(f"/pipelines/{name}").status_code == 409
    assert world.first.http.get(f"/pipelines/{name}").json()["read_only"] is True
    world.announce(ECHO)
    seen(world.first, "/services/echo")
    taken = world.first.http.put("/pipelines/echo", content=GREET.replace("greet", "echo"), headers=YAML)
    assert taken.status_code == 409


def test_an_input_change_that_breaks_a_caller(gateways: GatewayWorld) -> None:
    """A change after which waiting requests could not be read is refused, with the reason of the registry."""
    world = gateways
    name, text = fresh()
    assert world.first.http.put(f"/pipelines/{name}", content=text, headers=YAML).status_code == 201
    broken = text.replace("  name: {type: string", "  extra: {type: string}\n  name: {type: int").replace("+ name", "")
    answer = world.first.http.put(f"/pipelines/{name}", content=broken.replace("'hello ' ", "'hello'"), headers=YAML)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"], answer.text


def test_a_pipeline_of_a_live_service(gateways: GatewayWorld) -> None:
    """A definition is compiled against the services that announce themselves, the sooner the better typed."""
    world = gateways
    world.announce(ECHO)
    seen(world.first, "/services/echo")
    name = f"p-{secrets.token_hex(4)}"
    text = f"""
pipeline: {name}
input: {{text: string}}
nodes:
  say: {{service: echo, with: {{text: "${{text}}"}}}}
output: {{text: "${{say.text}}"}}
"""
    assert world.first.http.put(f"/pipelines/{name}", content=text, headers=YAML).status_code == 201
    assert world.first.http.get(f"/pipelines/{name}").json()["services"] == {"echo": "1.2.0"}
    wrong = text.replace("say.text", "say.txt")
    answer = world.first.http.put(f"/pipelines/{name}", content=wrong, headers=YAML)
    assert answer.status_code == 422
    assert "text" in json.dumps(answer.json()["errors"])


def test_a_graph_for_people(gateways: GatewayWorld) -> None:
    """`?format=mermaid` gives the pipeline as a Mermaid diagram; an unknown format is refused."""
    answer = gateways.first.http.get("/pipelines/greet?format=mermaid")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/vnd.mermaid")
    assert "hello" in answer.text
    assert gateways.first.http.get("/pipelines/greet?format=png").status_code == 422


def test_the_catalogue_of_services(gateways: GatewayWorld) -> None:
    """A service is there with all it says of itself as soon as it is announced, and gone when it leaves."""
    world = gateways
    contract = replace(ECHO, name="echo-two")
    announcer = world.announce(contract, worker="w1", model="parrot", model_version="3", capacity=2)
    other = world.announce(contract, worker="w2", problem="no weights")
    for gateway in (world.first, world.second):
        wait(lambda gateway=gateway: len(seen(gateway, "/services/echo-two").json()["workers"]) == 2, "both workers")
        document = gateway.http.get("/services/echo-two").json()
        assert (document["summary"], document["version"]) == (contract.summary, "1.2.0")
        assert document["problem"] == "no weights"
        assert document["example"] == {"text": "hello"}
        assert document["input"]["required"] == ["text"]
        assert document["workers"][0]["model"] == "parrot"
        jsonschema.Draft202012Validator.check_schema(document["output"])
    world.loop(announcer.stop())
    world.loop(other.stop())
    for gateway in (world.first, world.second):
        seen(gateway, "/services/echo-two", 404)


def test_a_service_that_is_killed_expires(gateways: GatewayWorld) -> None:
    """A worker that stops saying that it is there is gone after three of its periods."""
    world = gateways
    world.announce(replace(ECHO, name="echo-brief"), period=0.4)
    seen(world.first, "/services/echo-brief")
    seen(world.first, "/services/echo-brief", 404)
    assert "echo-brief" not in {one["name"] for one in world.first.http.get("/services").json()["services"]}


def test_openapi_has_what_is_there(gateways: GatewayWorld) -> None:
    """OpenAPI has a typed call for every pipeline and service, which come and go with them."""
    world = gateways
    contract = replace(ECHO, name="echo-api")
    announcer = world.announce(contract)
    seen(world.first, "/services/echo-api")
    document = world.first.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    call = document["paths"]["/pipelines/pass-photo/runs"]["post"]
    bodies = call["requestBody"]["content"]
    assert bodies["application/json"]["schema"]["properties"]["photo"] == {"$ref": "#/components/schemas/ImageInput"}
    parts = bodies["multipart/form-data"]
    assert parts["schema"]["properties"]["photo"]["format"] == "binary"
    assert parts["schema"]["properties"]["others"]["items"]["format"] == "binary"
    assert parts["encoding"] == {"areas": {"contentType": "application/json"}}
    service = document["paths"]["/services/echo-api/runs"]["post"]
    assert service["summary"] == contract.summary
    assert service["requestBody"]["content"]["application/json"]["example"] == {"text": "hello"}
    assert {"/runs/{run}/events", "/objects/{bucket}/{key}", "/pipelines/{name}"} <= document["paths"].keys()
    used = set(_references(document))
    assert used <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    world.loop(announcer.stop())
    seen(world.first, "/services/echo-api", 404)
    assert "/services/echo-api/runs" not in world.first.http.get("/openapi.json").json()["paths"]


def test_asyncapi_has_the_public_topics(gateways: GatewayWorld) -> None:
    """AsyncAPI has the requests and results of every pipeline with their Avro schemas, and the topics of events."""
    document = gateways.first.http.get("/asyncapi.json").json()
    assert document["asyncapi"] == "3.0.0"
    addresses = {one["address"]: one for one in document["channels"].values()}
    prefix = gateways.settings.topic_prefix
    requests = addresses[f"{prefix}pipeline.greet.requests"]
    assert requests["messages"]["record"]["payload"]["schema"]["fields"][0]["name"] == "name"
    assert f"{prefix}run.events" in addresses
    assert all(
        one["channel"]["$ref"].rpartition("/")[2] in document["channels"] for one in document["operations"].values()
    )


def test_waiting_does_not_need_the_wall_clock(gateways: GatewayWorld) -> None:
    """The expiry of a service is told by the announcement's own time, not by when it was read."""
    world = gateways
    past = replace(ECHO, name="echo-past")
    world.loop(
        Announcer(world.connections, lambda: [Announcement("echo-past", "w", past, time.time() - 1000)]).announce()
    )
    world.announce(replace(ECHO, name="echo-after"))
    seen(world.first, "/services/echo-after")
    assert world.first.http.get("/services/echo-past").status_code == 404


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        pytest.param("value: '${\"" + '\\"' * 12_000 + "'", "longer than 4096 characters", id="quotes"),
        pytest.param("value: '" + "x" * 70_000 + "${name}'", "65,536 characters", id="long"),
    ],
)
def test_a_definition_that_would_take_hours_is_refused(gateways: GatewayWorld, definition: str, problem: str) -> None:
    """Eight of them at once, and somebody else's goes on."""
    world = gateways
    name, text = fresh()
    _, hostile = fresh(f"pipeline: greet\ninput: {{name: string}}\nnodes:\n  n: {{{definition}}}\noutput: {{r: 1}}\n")
    with concurrent.futures.ThreadPoolExecutor(8) as many:
        asked = [
            many.submit(world.first.http.put, f"/pipelines/{name}x", content=hostile, headers=YAML) for _ in range(8)
        ]
        assert world.first.http.put(f"/pipelines/{name}", content=text, headers=YAML).status_code == 201
        for one in asked:
            answer = one.result()
            assert answer.status_code == 422
            assert problem in answer.text


def test_a_definition_may_not_allow_more_than_the_operator(gateways: GatewayWorld) -> None:
    """It is told how much that is."""
    name, text = fresh()
    answer = gateways.first.http.put(f"/pipelines/{name}", content=f"limit: 2000000\n{text}", headers=YAML)
    assert answer.status_code == 422
    assert "more than the 1,000,000" in answer.json()["errors"][0]["problem"]
