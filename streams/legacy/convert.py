"""An older pipeline as one of ours: the whole file, then checked as any other before anyone gets it."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from schemas.contracts import Contract
from streams.compile import compile_spec
from streams.compile.pipeline import EMPTY, Library
from streams.errors import PipelineErrors, Problem
from streams.language.definition.parse import parse
from streams.language.source.document import MAX_BYTES, split
from streams.legacy import names
from streams.legacy.block import Block, Shared
from streams.legacy.entry import inputs
from streams.legacy.nodes import convert_nodes
from streams.legacy.references import Outputs, Scope
from streams.legacy.report import Finding, NoCounterpart, pointer

_KEYS = frozenset({"type", "nodes", "name", "nid", "id", "summary", "description"})


def convert(
    text: str,
    contracts: Mapping[str, Contract],
    services: Mapping[str, str] | None = None,
    library: Library = EMPTY,
    name: str = "imported",
) -> str:
    """The YAML of an older pipeline's JSON. `services` says which service an older name or address means.

    Raises NoCounterpart with everything that has none, what lint says of the result included.
    """
    data = _read(text)
    shared = Shared(contracts, services or {})
    for key in data.keys() - _KEYS:
        shared.findings.append(Finding(pointer(key), "", f"{key!r} has no counterpart"))
    entry, api = _entry(data["nodes"], shared)
    given = next((data[key] for key in ("name", "nid", "id") if isinstance(data.get(key), str)), name)
    made: dict[str, Any] = {"pipeline": names.pipeline_name(str(api.get("route") or given))}
    summary = api.get("summary") or data.get("summary")
    if isinstance(summary, str) and summary:
        made["summary"] = " ".join(summary.split())
    declared = _inputs(api, shared, entry)
    block = Block(shared, ("nodes",), (), Scope({}))
    shared.taken.update(new for new, _ in declared.values())
    if entry:
        fields = {old: new for old, (new, _) in declared.items()}
        record = "{" + ", ".join(f"'{old}': {new}" for old, new in fields.items()) + "}"
        block.scope.nodes[entry[0]] = Outputs(record, fields)
    convert_nodes(block, data["nodes"])
    made["input"] = dict(declared.values())
    made["nodes"] = block.nodes
    made["output"] = block.output
    if not block.output and not any(isinstance(one, dict) and one.get("type") == "end" for one in data["nodes"]):
        shared.findings.append(Finding("/nodes", "", "there is no end, so nothing says what the pipeline gives"))
    if shared.findings:
        raise NoCounterpart(shared.findings)
    written = write(made)
    _lint(written, shared, contracts, library)
    return written


def write(data: Mapping[str, Any]) -> str:
    """YAML as people write it: short records on one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


class _Dumper(yaml.SafeDumper):
    """Two spaces before the items of a list; a value that stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _read(text: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_BYTES:
        raise NoCounterpart([Finding("", "", f"the file is larger than {MAX_BYTES} bytes")])
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoCounterpart([Finding("", "", f"not JSON: {error}")]) from None
    if (
        not isinstance(data, dict)
        or data.get("type", "pipeline") != "pipeline"
        or not isinstance(data.get("nodes"), list)
    ):
        hint = '{"type": "pipeline", "nodes": […]} is one'
        raise NoCounterpart([Finding("", "", "this is no pipeline in the older format", hint)])
    return data


def _entry(nodes: list[Any], shared: Shared) -> tuple[tuple[str, int] | None, dict[str, Any]]:
    """The id and position of the entry, and what it says of the pipeline."""
    found = [(at, one) for at, one in enumerate(nodes) if isinstance(one, dict) and one.get("type") == "entry"]
    if len(found) != 1:
        what = "there is no entry" if not found else "there is more than one entry"
        where = pointer("nodes", found[1][0]) if found else "/nodes"
        shared.findings.append(Finding(where, "", what, "a pipeline has one, which says what it takes"))
    if not found:
        return None, {}
    at, node = found[0]
    api = node.get("api", {})
    if not isinstance(api, dict):
        shared.findings.append(Finding(pointer("nodes", at, "api"), str(node.get("id")), "api is an object"))
        api = {}
    for key in ("before", "after", "ready", "input"):
        if node.get(key):
            what = "an entry has no counterpart for this"
            shared.findings.append(Finding(pointer("nodes", at, key), str(node.get("id")), what))
    for key in api.keys() - {"route", "summary", "description", "body"}:
        shared.findings.append(
            Finding(pointer("nodes", at, "api", key), str(node.get("id")), f"{key!r} has no counterpart")
        )
    return (str(node.get("id")), at), api


def _inputs(api: Mapping[str, Any], shared: Shared, entry: tuple[str, int] | None) -> dict[str, tuple[str, Any]]:
    made: dict[str, tuple[str, Any]] = {}
    for old, kind, wrong in inputs(api.get("body")):
        if wrong and entry:
            shared.findings.append(Finding(pointer("nodes", entry[1], "api", "body"), entry[0], wrong))
        new = names.name(old, {one for one, _ in made.values()}, "input")
        made[old] = (new, kind)
        shared.origins["input", new] = (("nodes", entry[1], "api", "body") if entry else (), entry[0] if entry else "")
    return made


def _lint(written: str, shared: Shared, contracts: Mapping[str, Contract], library: Library) -> None:
    try:
        compile_spec(parse(written, "imported.yaml"), contracts, library)
    except PipelineErrors as error:
        raise NoCounterpart(_origin(one, shared) for one in error.problems) from None


def _origin(problem: Problem, shared: Shared) -> Finding:
    """A problem of the result, said of the place in the older file that it comes from."""
    place = split(problem.where)
    for length in range(len(place), 0, -1):
        if place[:length] in shared.origins:
            at, node = shared.origins[place[:length]]
            rest = place[length:]
            more = (
                ("input", *rest[1:]) if rest[:1] == ("with",) else ("if",) if rest[:1] in (("if",), ("when",)) else ()
            )
            return Finding(pointer(*at, *more), node, problem.problem, problem.hint)
    return Finding("", "", f"{problem.where}: {problem.problem}", problem.hint)
