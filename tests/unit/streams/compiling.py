"""What tests of the core share: a few services, and short ways to compile and run a pipeline."""

from collections.abc import Mapping
from typing import Any

from schemas.contracts import Contract
from streams.compile import compile_pipeline
from streams.errors import PipelineErrors
from streams.language.definition.model import PipelineSpec
from streams.language.definition.parse import parse
from streams.language.topology import Topology
from streams.messages import Fault
from streams.testing.driver import FAIR, Driver, Seen, Service, ServiceFailed, Weather

AREA = {
    "type": "record",
    "namespace": "test",
    "name": "Area",
    "fields": [{"name": name, "type": "int"} for name in ("x", "y", "width", "height")],
}
FACE = {
    "type": "record",
    "namespace": "test",
    "name": "Face",
    "fields": [{"name": "area", "type": AREA}, {"name": "score", "type": "double"}],
}


def record(name: str, *fields: Mapping[str, Any]) -> dict[str, Any]:
    """An Avro record."""
    return {"type": "record", "namespace": "test", "name": name, "fields": list(fields)}


def contract(name: str, takes: dict[str, Any], gives: dict[str, Any], version: str = "1.0.0") -> Contract:
    """A contract of a service that is not run."""
    return Contract(name, version, name, name, takes, gives)


def _field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


CONTRACTS: Mapping[str, Contract] = {
    one.name: one
    for one in (
        contract(
            "calc",
            record("CalcIn", _field("x", "long", minimum=0, maximum=1000), _field("y", "long", default=0)),
            record("CalcOut", _field("v", "long"), _field("items", {"type": "array", "items": "long"})),
        ),
        contract(
            "detect",
            record("DetectIn", _field("image", "millrace.Ref"), _field("min_score", "double", default=0.5)),
            record(
                "DetectOut",
                _field("faces", {"type": "array", "items": FACE}),
                _field("model", ["null", "string"]),
            ),
        ),
        contract(
            "http-call",
            record(
                "HttpIn",
                _field("url", "string"),
                _field("method", "string", default="GET", enum=["GET", "POST"]),
                _field("headers", {"type": "map", "values": "string"}, default={}),
                _field("body", "millrace.Value", default=None),
            ),
            record("HttpOut", _field("status", "int"), _field("body", "millrace.Value")),
            version="2.1.0",
        ),
    )
}


def calc(given: Mapping[str, Any]) -> dict[str, Any]:
    """Adds, and gives the numbers below it; refuses 13, is out of order for 500."""
    if given["x"] == 13:
        raise ServiceFailed("13 is not taken", Fault.CALLER)
    if given["x"] == 500:
        raise ServiceFailed("out of order")
    value = given["x"] + given["y"]
    return {"v": value, "items": list(range(value))}


SERVICES: Mapping[str, Service] = {"calc": calc}


def library(*texts: str) -> dict[str, PipelineSpec]:
    """Pipelines that others may contain."""
    specs = [parse(text, "inner.yaml") for text in texts]
    return {spec.name: spec for spec in specs}


def pipeline(body: str, *inner: str, input: str = "{n: int}") -> Topology:
    """A compiled pipeline `test` with these nodes and this output."""
    return compile_pipeline(f"pipeline: test\ninput: {input}\n{body}", CONTRACTS, library(*inner), "test.yaml")


def problems(text: str, *inner: str) -> list[str]:
    """Everything that is wrong with a pipeline, as an author reads it; nothing when it compiles."""
    try:
        compile_pipeline(text, CONTRACTS, library(*inner), "p.yaml")
    except PipelineErrors as error:
        return [str(problem) for problem in error.problems]
    return []


def run(topology: Topology, weather: Weather = FAIR, seed: int = 0, **given: Any) -> Seen:
    """A run of a pipeline with these inputs."""
    return Driver(topology, SERVICES, weather, seed).run(given)
