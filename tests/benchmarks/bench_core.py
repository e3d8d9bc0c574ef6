"""What the core costs: compiling, advancing, and joins, in CPU time; ratios are of two things measured in this run.

python -m tests.benchmarks.bench_core
"""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from schemas.contracts import Contract
from streams.compile import compile_pipeline
from streams.flow.advance import advance
from streams.flow.run import step
from streams.flow.run_state import RunState
from streams.language.topology import Topology
from streams.messages import Context, JoinToken, LoopItemDone, LoopOpened, Outcome, Run, Start, Status, Task

NUMBERS = {"type": "array", "items": "long"}


def _record(name: str, *fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "namespace": "bench", "name": name, "fields": [{"name": n, "type": t} for n, t in fields]}


CONTRACTS = {
    "calc": Contract(
        "calc", "1.0.0", "", "", _record("In", ("x", "long"), ("y", "long")), _record("Out", ("v", "long"))
    )
}


def chain(nodes: int) -> str:
    """A pipeline of services in a row, each reading the one before it and one half-way back, as JSON."""
    made = {}
    for number in range(nodes):
        before = f"n{number - 1}.v" if number else "n"
        half = f"n{max(number // 2, number - 20)}.v" if number > 1 else "n"
        made[f"n{number}"] = {"service": "calc", "with": {"x": f"${{{before} + 1}}", "y": f"${{{half}}}"}}
    output = {"r": f"${{n{nodes - 1}.v}}"}
    return json.dumps({"pipeline": "chain", "input": {"n": "int"}, "nodes": made, "output": output}, indent=1)


def seconds(work: Callable[[], object], least: float = 0.3) -> float:
    """Seconds of CPU that one call takes: the best of several rounds of calls."""
    work()
    best, spent, calls = float("inf"), 0.0, 1
    while spent < least:
        begin = time.process_time()
        for _ in range(calls):
            work()
        took = time.process_time() - begin
        best, spent, calls = min(best, took / calls), spent + took, min(calls * 2, 1000)
    return best


def compiling() -> None:
    """Compiling against `json.loads` of the same text, and one step of a run against that of a short pipeline."""
    print("nodes   compile      per node   json.loads   ratio   topology   advance   against 10 nodes")
    first = 0.0
    for nodes in (10, 100, 1000):
        text = chain(nodes)
        compiled = compile_pipeline(text, CONTRACTS)
        made = seconds(lambda text=text: compile_pipeline(text, CONTRACTS))  # type: ignore[misc]
        read = seconds(lambda text=text: json.loads(text))  # type: ignore[misc]
        size = len(compiled.to_json())
        moved = seconds(_one_step(compiled, nodes))
        first = first or moved
        print(
            f"{nodes:5} {made * 1e3:8.1f} ms {made / nodes * 1e6:9.0f} us {read * 1e6:9.0f} us {made / read:7.0f}"
            f" {size / 1e3:7.0f} kB {moved * 1e6:6.0f} us {moved / first:10.2f}"
        )


def _one_step(topology: Topology, nodes: int) -> Callable[[], object]:
    """Advancing from a node in the middle to the next."""
    run = Run("r", topology.name, topology.digest, 1e9)
    vertex = topology.vertices[f"n{nodes // 2}"]
    context = Context({key: {"v": 1} if key != ":n" else 1 for key in vertex.carried_keys})
    task = Task(run, vertex.id, (), vertex.id, "calc", 1, {"x": 1, "y": 1}, context)
    outcome = Outcome(Status.VALUE, {"v": 3})
    return lambda: advance(topology, task, outcome)


def joins() -> None:
    """Open joins of one run: time and memory of each must not hang on how many there are."""
    text = """
pipeline: joins
input: {xs: [int]}
nodes:
  e:
    each: {x: "${xs}"}
    nodes:
      a: {service: calc, with: {x: "${x}", y: 1}}
      b: {service: calc, with: {x: "${x}", y: 2}}
      c: {service: calc, with: {x: "${a.v}", y: "${b.v}"}}
    output: "${c.v}"
output: {r: "${e}"}
"""
    topology = compile_pipeline(text, CONTRACTS)
    run = Run("r", topology.name, topology.digest, 1e9)
    print("\nopen joins   first token   second token   bytes a join   rows a join")
    for number in (1_000, 10_000, 100_000):
        state: RunState | None = step(topology, None, Start(run, {"xs": []}), 0.0).state
        gc.collect()
        tracemalloc.start()
        held = tracemalloc.get_traced_memory()[0]
        opening = _take_all(topology, state, _tokens(run, number, "a"))
        gc.collect()
        size = tracemalloc.get_traced_memory()[0] - held
        tracemalloc.stop()
        assert state is not None
        assert len(state.joins) == number
        rows = len(state.rows) - 1
        closing = _take_all(topology, state, _tokens(run, number, "b"))
        assert not state.joins
        print(
            f"{number:10} {opening / number * 1e6:10.1f} us {closing / number * 1e6:11.1f} us"
            f" {size / number:14.0f} {rows / number:13.1f}"
        )


def _tokens(run: Run, number: int, edge: str) -> list[JoinToken]:
    return [
        JoinToken(run, "e.c", (at,), f"e.{edge}", Status.VALUE, Context({f"e.{edge}": {"v": at}}))
        for at in range(number)
    ]


def _take_all(topology: Topology, state: RunState | None, messages: list[Any]) -> float:
    begin = time.process_time()
    for message in messages:
        state = step(topology, state, message, 0.0).state
    return time.process_time() - begin


def loops() -> None:
    """One loop of many items, from its opening to its end."""
    text = (
        'pipeline: loop-of-many\nlimit: 1000000\ninput: {xs: [int]}\nnodes:\n  e: {each: {x: "${xs}"}, nodes: {i: {service: calc, '
        'with: {x: "${x}", y: 1}}}, output: "${i.v}"}\noutput: {r: "${e}"}\n'
    )
    topology = compile_pipeline(text, CONTRACTS)
    run = Run("r", topology.name, topology.digest, 1e9)
    print("\n     items   an item in flow")
    for number in (1_000, 10_000, 100_000):
        state = step(topology, None, Start(run, {"xs": list(range(number))}), 0.0).state
        state = step(topology, state, LoopOpened(run, "e", (), tuple(range(number)), Context(), Context()), 0.0).state
        items = [LoopItemDone(run, "e", (), at, Status.VALUE, at) for at in range(number)]
        took = _take_all(topology, state, items)
        assert state is not None
        assert state.ended
        print(f"{number:10} {took / number * 1e6:14.1f} us")


if __name__ == "__main__":
    compiling()
    joins()
    loops()
