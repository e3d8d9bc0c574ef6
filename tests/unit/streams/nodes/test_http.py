"""`http:` nodes: a task for the service `http-call`."""

from collections.abc import Mapping
from typing import Any

import pytest

from streams.compile import compile_pipeline
from streams.errors import PipelineErrors
from streams.testing import Driver
from tests.unit.streams.core import CONTRACTS, pipeline


def test_the_request_is_the_service_s_input() -> None:
    """Url, verb, headers and body are composed like any other value; the default verb is GET."""
    made = pipeline(
        """
nodes:
  a: {http: {url: "http://localhost/${n}", headers: {x-number: "no ${n}"}, body: {n: "${n}"}}, timeout: 3s}
output: {r: "${a.status}", b: "${a.body}"}
"""
    )
    asked: list[Mapping[str, Any]] = []

    def call(given: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(given)
        return {"status": 200, "body": {"ok": True}}

    seen = Driver(made, {"http-call": call}).run({"n": 3})
    assert seen.output == {"r": 200, "b": {"ok": True}}
    assert asked == [{"url": "http://localhost/3", "method": "GET", "headers": {"x-number": "no 3"}, "body": {"n": 3}}]
    assert (seen.tasks[0].service, seen.tasks[0].major, seen.tasks[0].timeout) == ("http-call", 2, 3.0)


def test_it_needs_its_service() -> None:
    """Without the service, the node says what is missing."""
    others = {name: one for name, one in CONTRACTS.items() if name != "http-call"}
    text = "pipeline: p\nnodes: {a: {http: {url: x}}}\noutput: {r: 1}\n"
    with pytest.raises(PipelineErrors) as caught:
        compile_pipeline(text, others, file="p.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.where) == (2, 19, "nodes.a.http")
    assert problem.problem == "no service 'http-call' is known, so http nodes cannot run"
