"""`http:` nodes: a task for the service `http-call`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.contracts import load_contracts
from streams.compile import compile_pipeline
from streams.errors import PipelineErrors
from streams.testing.driver import Driver
from tests.unit.streams.compiling import CONTRACTS, pipeline


def test_the_request_is_the_service_s_input() -> None:
    """Url, verb, headers and body are composed like any other value; the default verb is GET."""
    topology = pipeline(
        """
nodes:
  a: {http: {url: "http://localhost/${n}", headers: {x-number: "no ${n}"}, body: {n: "${n}"}}, timeout: 3s}
output: {r: "${a.status}", b: "${a.body}"}
"""
    )
    asked: list[Mapping[str, Any]] = []

    def call(request: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {"status": 200, "body": {"ok": True}}

    seen = Driver(topology, {"http-call": call}).run({"n": 3})
    assert seen.output == {"r": 200, "b": {"ok": True}}
    assert asked == [{"url": "http://localhost/3", "method": "GET", "headers": {"x-number": "no 3"}, "body": {"n": 3}}]
    assert (seen.tasks[0].service, seen.tasks[0].major, seen.tasks[0].timeout) == ("http-call", 2, 3.0)


def test_it_needs_its_service() -> None:
    """Without the service, the node says what is missing."""
    others = {name: contract for name, contract in CONTRACTS.items() if name != "http-call"}
    text = "pipeline: p\nnodes: {a: {http: {url: x}}}\noutput: {r: 1}\n"
    with pytest.raises(PipelineErrors) as caught:
        compile_pipeline(text, others, file="p.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.where) == (2, 19, "nodes.a.http")
    assert problem.problem == "no service 'http-call' is known, so http nodes cannot run"


def compiled(request: str) -> list[str]:
    """The problems of a pipeline with this `http:` node, against the real service; none when it compiles."""
    text = f'pipeline: p\ninput: {{t: string}}\nnodes:\n  a: {{http: {request}}}\noutput: {{r: "${{a.status}}"}}\n'
    try:
        compile_pipeline(text, load_contracts(), file="p.yaml")
    except PipelineErrors as errors:
        return [str(problem) for problem in errors.problems]
    return []


def test_a_secret_travels_as_its_name() -> None:
    """What stands around it in the header may hold expressions; the task has the name, and nobody's value becomes one."""
    topology = compile_pipeline(
        """
pipeline: p
input: {t: string}
nodes:
  a:
    http:
      url: "https://api.example.com/"
      headers:
        authorization: "Bearer ${ secret('shop-token') }"
        X-Key: '${t}:${secret("other")}/$${t}'
        x-plain: "${t}"
output: {r: "${a.status}"}
""",
        load_contracts(),
    )
    asked: list[Mapping[str, Any]] = []

    def call(request: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {"status": 200, "headers": {}, "body": None, "image": None}

    evil = "${secret('shop-token')}"
    seen = Driver(topology, {"http-call": call}).run({"t": evil})
    assert seen.output == {"r": 200}
    assert asked[0]["headers"] == {"x-plain": evil}
    assert asked[0]["secrets"] == {
        "authorization": {"name": "shop-token", "before": "Bearer ", "after": ""},
        "X-Key": {"name": "other", "before": f"{evil}:", "after": "/${t}"},
    }


HOW = """a secret cannot stand here (only a header of an http node may hold "${secret('name')}")"""
INSTEAD = """(write "${secret('name')}", and let the operator set it)"""


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ("""{url: x, query: {q: "${secret('a')}"}}""", f"p.yaml:4:42: nodes.a.http.query.q: {HOW}"),
        ("""{url: x, headers: {h: "${'x' + secret('a')}"}}""", f"p.yaml:4:50: nodes.a.http.headers.h: {HOW}"),
        ('{url: x, headers: {h: "${secret(t)}"}}', f"p.yaml:4:44: nodes.a.http.headers.h: {HOW}"),
        (
            """{url: x, headers: {h: "${secret('A b')}"}}""",
            "p.yaml:4:38: nodes.a.http.headers.h: 'A b' is not a valid secret name (lower-case letters, digits and dashes)",
        ),
        (
            """{url: x, headers: {h: "${secret('a')}${secret('b')}"}}""",
            "p.yaml:4:52: nodes.a.http.headers.h: a header holds one secret at most (let the operator keep both as one)",
        ),
        (
            "{url: x, headers: {Authorization: Bearer abc}}",
            f"p.yaml:4:47: nodes.a.http.headers.Authorization: a password does not belong in a pipeline {INSTEAD}",
        ),
    ],
)
def test_where_no_secret_can_stand(request_: str, problem: str) -> None:
    """Anywhere but in a header, inside an expression, by a name that is computed; and a password in the file."""
    assert compiled(request_) == [problem]


def test_a_secret_in_another_kind_of_node() -> None:
    """`secret` is no function of the expression language."""
    text = 'pipeline: p\nnodes: {a: {value: "${secret(\'x\')}"}}\noutput: {r: "${a}"}\n'
    with pytest.raises(PipelineErrors) as caught:
        compile_pipeline(text, load_contracts(), file="p.yaml")
    assert [problem.problem for problem in caught.value.problems] == ["a secret cannot stand here"]


def test_the_example_of_the_documentation() -> None:
    """What docs/reference/http-nodes.md shows compiles and runs: the price is asked for, and the till is told."""
    text = (Path(__file__).parents[4] / "docs" / "reference" / "http-nodes.md").read_text(encoding="utf-8")
    topology = compile_pipeline(text.partition("```yaml\n")[2].partition("```")[0], load_contracts())

    def call(request: Mapping[str, Any]) -> dict[str, Any]:
        body = {"cents": 250} if request["method"] == "GET" else None
        return {"status": 200 if body else 201, "headers": {}, "body": body, "image": None}

    seen = Driver(topology, {"http-call": call}).run({"article": "tea", "amount": 3})
    assert seen.output == {"status": 201, "cents": 250}
    assert seen.tasks[0].input["secrets"]["authorization"]["name"] == "shop-token"
    assert seen.tasks[1].input["body"] == {"article": "tea", "cents": 750}
