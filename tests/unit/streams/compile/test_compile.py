"""Compiling: what a topology says."""

from dataclasses import replace

from schemas.contracts import load_contracts
from streams.compile import automatic, compile_spec
from streams.language.topology import Topology
from tests.unit.streams.compiling import CONTRACTS, pipeline, run


def test_a_topology_says_what_a_pipeline_takes_gives_and_uses() -> None:
    """The typed record of its requests and results, its services with their versions, its deadline."""
    topology = pipeline(
        'timeout: 5m\nretain: 1d\nsummary: A sum\nnodes: {a: {http: {url: x}}, b: {service: calc, with: {x: "${n}"}}}\n'
        'output: {r: "${b.v}", s: "${a.status}"}',
        input="{n: {type: int, default: 3, minimum: 1, summary: A number}}",
    )
    assert topology.timeout == 300
    assert topology.retain == 86400
    assert topology.input["fields"] == [{"name": "n", "type": "long", "doc": "A number", "default": 3, "minimum": 1}]
    assert [(field["name"], field["type"]) for field in topology.output["fields"]] == [("r", "long"), ("s", "long")]
    assert topology.input["name"] == "TestInput"
    assert {name: use.major for name, use in topology.services.items()} == {"http-call": 2, "calc": 1}
    assert topology.services["calc"].version == "1.0.0"


def test_every_service_is_a_pipeline_of_one_node() -> None:
    """The automatic pipeline of a service takes its inputs and gives its outputs."""
    contract = CONTRACTS["calc"]
    topology = compile_spec(automatic(contract), CONTRACTS)
    assert topology.name == "calc"
    assert [field["name"] for field in topology.input["fields"]] == ["x", "y"]
    assert run(topology, x=2, y=1).output == {"v": 3, "items": [0, 1, 2]}


def test_a_run_of_a_service_may_last_as_long_as_its_call() -> None:
    """A service that may take half a day is not ended by the hour that a run has when nobody says more."""
    specs = {seconds: automatic(replace(CONTRACTS["calc"], timeout=seconds)) for seconds in (30.0, 43200.0)}
    assert {seconds: compile_spec(spec, CONTRACTS).timeout for seconds, spec in specs.items()} == {
        30: 3600,
        43200: 43200,
    }
    whole = automatic(replace(CONTRACTS["calc"], timeout=43200))  # as agents write it: the same, to the letter
    assert compile_spec(whole, CONTRACTS).digest == compile_spec(specs[43200.0], CONTRACTS).digest


def test_every_checked_in_service_has_its_pipeline() -> None:
    """Whatever a contract may say, its automatic pipeline compiles."""
    contracts = load_contracts()
    for contract in contracts.values():
        topology = compile_spec(automatic(contract), contracts)
        assert Topology.from_json(topology.to_json()) == topology


def test_one_service_may_stand_at_many_nodes() -> None:
    """Its schemas are part of the topology once."""
    topology = pipeline(
        'nodes: {a: {service: calc, with: {x: 1}}, b: {service: calc, with: {x: "${a.v}"}}}\noutput: {r: "${b.v}"}'
    )
    assert list(topology.services) == ["calc"]
    assert run(topology, n=1).output == {"r": 1}


def test_an_optional_value_stays_optional() -> None:
    """A plain path keeps that it may be null, so that the result's schema allows it."""
    topology = pipeline(
        'nodes: {a: {service: detect, with: {image: "${p}"}}}\noutput: {m: "${a.model}", f: "${a.faces}"}',
        input="{p: image}",
    )
    assert topology.output["fields"][0]["type"] == ["null", "string"]
