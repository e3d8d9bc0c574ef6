"""Pipelines and their versions over HTTP, on a gateway in memory."""

import json

import pytest

from tests.unit.gateway.memory.gateway import GREET, YAML, MemoryGateway


def text(name: str, greeting: str = "hello ") -> str:
    """A definition under another name."""
    return GREET.replace("pipeline: greet", f"pipeline: {name}").replace("hello '", f"{greeting}'")


def test_a_pipeline_is_defined_read_and_removed(gateway: MemoryGateway) -> None:
    """201 with its place, 200 for a change, 204 for its removal, and then 404."""
    created = gateway.define(text("life"))
    assert (created.status_code, created.headers["location"]) == (201, "/pipelines/life")
    assert created.json()["owner"] == "http"
    read = gateway.http.get("/pipelines/life")
    assert read.headers["etag"] == created.headers["etag"]
    assert read.json()["definition"] == text("life")
    assert "hello" in [node["name"] for node in read.json()["graph"]["nodes"]]
    changed = gateway.define(text("life", "good day "))
    assert changed.status_code == 200
    assert changed.json()["digest"] != created.json()["digest"]
    assert gateway.http.delete("/pipelines/life").status_code == 204
    assert gateway.http.get("/pipelines/life").status_code == 404
    assert gateway.http.delete("/pipelines/life").status_code == 404


def test_the_list_of_pipelines(gateway: MemoryGateway) -> None:
    """Each with its digest, its input as JSON Schema, and its links."""
    (greet,) = (each for each in gateway.http.get("/pipelines").json()["pipelines"] if each["name"] == "greet")
    assert greet["summary"] == "Says hello"
    assert greet["input"]["required"] == ["name"]
    assert greet["automatic"] is False
    assert greet["links"]["runs"] == "/pipelines/greet/runs"


def test_the_forms_of_a_pipeline(gateway: MemoryGateway) -> None:
    """Its source and its Mermaid diagram; 422 for a form that there is not."""
    assert gateway.http.get("/pipelines/greet?format=yaml").text == GREET
    mermaid = gateway.http.get("/pipelines/greet?format=mermaid")
    assert mermaid.headers["content-type"].startswith("text/vnd.mermaid")
    assert gateway.http.get("/pipelines/greet?format=png").status_code == 422


@pytest.mark.parametrize(
    ("definition", "headers", "status", "kind"),
    [
        (
            "pipeline: broken\ninput: {name: string}\nnodes: {}\noutput: {text: '${mane}'}\n",
            YAML,
            422,
            "invalid-pipeline",
        ),
        ("pipeline: other\ninput: {}\nnodes: {}\noutput: {text: a}\n", YAML, 422, "invalid-pipeline"),
        ("]", YAML, 422, "invalid-pipeline"),
        (b"\xff\xfe\xff", YAML, 400, "bad-request"),
        ("x", {"content-type": "image/png"}, 415, "media"),
        ("x" * (1024 * 1024 + 1), YAML, 413, "too-large"),
    ],
)
def test_a_wrong_definition_is_refused(
    gateway: MemoryGateway, definition: str | bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    """With everything that is wrong with it."""
    answer = gateway.http.put("/pipelines/broken", content=definition, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:millrace:{kind}")
    assert gateway.http.get("/pipelines/broken").status_code == 404


def test_a_change_is_of_what_was_read(gateway: MemoryGateway) -> None:
    """412 with an etag that is no longer current, and for what should be new and is not."""
    etag = gateway.define(text("once")).headers["etag"]
    new = {**YAML, "if-none-match": "*"}
    assert gateway.http.put("/pipelines/once", content=text("once", "a "), headers=new).status_code == 412
    current = {**YAML, "if-match": etag}
    assert gateway.http.put("/pipelines/once", content=text("once", "b "), headers=current).status_code == 200
    stale = gateway.http.put("/pipelines/once", content=text("once", "c "), headers=current)
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:millrace:stale")
    assert gateway.http.delete("/pipelines/once", headers={"if-match": etag}).status_code == 412


def test_a_change_that_callers_would_notice_is_refused(gateway: MemoryGateway) -> None:
    """An input that waiting requests do not have, or an output that its readers would miss."""
    assert gateway.define(text("steady")).status_code == 201
    broken = text("steady").replace("name: {type: string,", "extra: {type: string}\n  name: {type: string,")
    answer = gateway.define(broken.replace("{text:", "{words:"))
    assert answer.status_code == 422
    assert {fault["where"] for fault in answer.json()["errors"]} == {"input", "output"}


def test_a_trial_and_going_back(gateway: MemoryGateway) -> None:
    """A canary takes its share of the runs; a rollback ends it; the versions are listed with their state."""
    first = gateway.define(text("tried")).json()
    trial = gateway.define(text("tried", "good day "), canary="25%")
    assert trial.status_code == 200, trial.text
    assert trial.json()["trial"]["share"] == 0.25
    versions = gateway.http.get("/pipelines/tried/versions").json()["versions"]
    assert {version["status"]: version["share"] for version in versions} == {"active": 0.75, "canary": 0.25}
    back = gateway.http.post("/pipelines/tried/rollback")
    assert (back.status_code, back.json()["digest"]) == (200, first["digest"])
    assert "trial" not in gateway.http.get("/pipelines/tried").json()
    assert gateway.http.post("/pipelines/tried/rollback", json={"digest": "zzz"}).status_code == 404
    assert gateway.http.post("/pipelines/tried/rollback", json={"digset": "x"}).status_code == 422
    both = gateway.http.put("/pipelines/tried?canary=5%25&shadow=true", content=text("tried", "b "), headers=YAML)
    assert both.status_code == 422


def test_a_shadow_is_compared_in_counts(gateway: MemoryGateway) -> None:
    """Counts of pairs that are the same and different; 404 without a shadow."""
    gateway.define(text("dim"))
    assert gateway.http.get("/pipelines/dim/shadow").status_code == 404
    gateway.define(text("dim", "good day "), shadow="true")
    gateway.history.shadow_results = {
        "verdicts": [{"verdict": "same", "n": 3}],
        "runs": 5,
        "paths": [],
        "last": [],
    }
    shadow = gateway.http.get("/pipelines/dim/shadow").json()
    assert (shadow["same"], shadow["different"], shadow["pending"]) == (3, 0, 2)


def test_versions_of_an_unknown_pipeline(gateway: MemoryGateway) -> None:
    """404 with what is near; without the history the versions are listed without their runs."""
    assert "did you mean greet?" in gateway.http.get("/pipelines/grete/versions").json()["detail"]
    gateway.history.unavailable = True
    try:
        (version,) = gateway.http.get("/pipelines/greet/versions").json()["versions"]
    finally:
        gateway.history.unavailable = False
    assert version["runs"] is None


def test_unused_versions_are_forgotten(gateway: MemoryGateway) -> None:
    """409 for a version that is still needed, 404 for one that there is not."""
    digest = gateway.define(text("kept")).json()["digest"]
    needed = gateway.http.delete("/pipelines/kept/versions", params={"digest": digest[:12]})
    assert (needed.status_code, needed.json()["type"]) == (409, "urn:millrace:conflict")
    assert gateway.http.delete("/pipelines/kept/versions?digest=zzz").status_code == 404
    assert gateway.http.delete("/pipelines/kept/versions").json()["forgotten"] == []


def test_the_descriptions_of_the_api(gateway: MemoryGateway) -> None:
    """OpenAPI has a typed call for each pipeline, AsyncAPI its topics, and the page at the root a link."""
    openapi = gateway.http.get("/openapi.json").json()
    call = openapi["paths"]["/pipelines/greet/runs"]["post"]
    assert call["requestBody"]["content"]["application/json"]["schema"]["required"] == ["name"]
    asyncapi = gateway.http.get("/asyncapi.json").json()
    assert "pipeline.greet.requests" in json.dumps(asyncapi)
    assert '<a href="/pipelines/greet">' in gateway.http.get("/").text
    assert gateway.http.get("/docs").headers["content-type"].startswith("text/html")
    assert gateway.http.get("/docs/nothing.js").status_code == 404
