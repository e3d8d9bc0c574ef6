"""Services over HTTP, on a gateway in memory."""

from dataclasses import replace

from schemas.contracts import load_contracts
from tests.unit.gateway.memory.gateway import MemoryGateway

CONTRACTS = load_contracts()
DIGITS = CONTRACTS["digit-recognition"]


def test_a_live_service_is_listed(gateway: MemoryGateway) -> None:
    """With its input as JSON Schema and its workers; one without a live worker is 404, with a similar name."""
    gateway.announce(replace(DIGITS, name="digit-show"), worker="w1", model="digits", model_version="3")
    (listed,) = (each for each in gateway.http.get("/services").json()["services"] if each["name"] == "digit-show")
    detail = gateway.http.get("/services/digit-show").json()
    assert listed == detail
    assert detail["summary"] == DIGITS.summary
    assert detail["input"]["type"] == "object"
    assert [(worker["worker"], worker["able"]) for worker in detail["workers"]] == [("w1", True)]
    assert (detail["model"], detail["model_version"]) == ("digits", "3")
    absent = gateway.http.get("/services/digit-shown")
    assert (absent.status_code, absent.json()["type"]) == (404, "urn:millrace:not-found")
    assert "did you mean digit-show?" in absent.json()["detail"]


def test_a_service_is_run_alone(gateway: MemoryGateway) -> None:
    """As the pipeline of its name, which nobody can define; a worker that is stopped does not matter to a later run."""
    contract = replace(CONTRACTS["image-blur"], name="soften")
    gateway.announce(contract)
    answer = gateway.http.post("/services/soften/runs", json={})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:millrace:invalid")
    pipeline = gateway.http.get("/pipelines/soften").json()
    assert (pipeline["automatic"], pipeline["read_only"]) == (True, True)
    taken = gateway.define("pipeline: soften\ninput: {}\nnodes: {}\noutput: {text: a}\n")
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:millrace:read-only")
    assert gateway.http.post("/services/nothing/runs", json={}).status_code == 404


def test_the_api_describes_live_services(gateway: MemoryGateway) -> None:
    """OpenAPI has a typed call with the example of the service, and the page at the root a link."""
    gateway.announce(replace(DIGITS, name="digit-api"))
    call = gateway.http.get("/openapi.json").json()["paths"]["/services/digit-api/runs"]["post"]
    assert call["summary"] == DIGITS.summary
    assert call["requestBody"]["content"]["multipart/form-data"]
    assert '<a href="/services/digit-api">' in gateway.http.get("/").text
