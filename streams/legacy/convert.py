"""Convert a legacy pipeline file; the result is compiled like any other before it is returned."""

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
    """Convert a legacy pipeline's JSON to YAML. `services` maps legacy names and addresses to services.

    Raises NoCounterpart with everything that has no counterpart, including what lint finds in the result.
    """
    data = _read(text)
    shared = Shared(contracts, services or {})
    for key in data.keys() - _KEYS:
        shared.findings.append(Finding(pointer(key), "", f"{key!r} has no counterpart"))
    entry, api = _entry(data["nodes"], shared)
    title = next((data[key] for key in ("name", "nid", "id") if isinstance(data.get(key), str)), name)
    converted: dict[str, Any] = {"pipeline": names.pipeline_name(str(api.get("route") or title))}
    summary = api.get("summary") or data.get("summary")
    if isinstance(summary, str) and summary:
        converted["summary"] = " ".join(summary.split())
    declared = _inputs(api, shared, entry)
    block = Block(shared, ("nodes",), (), Scope({}))
    shared.taken.update(new for new, _ in declared.values())
    if entry:
        fields = {old: new for old, (new, _) in declared.items()}
        record = "{" + ", ".join(f"'{old}': {new}" for old, new in fields.items()) + "}"
        block.scope.nodes[entry[0]] = Outputs(record, fields)
    convert_nodes(block, data["nodes"])
    converted["input"] = dict(declared.values())
    converted["nodes"] = block.nodes
    converted["output"] = block.output
    if not block.output and not any(isinstance(node, dict) and node.get("type") == "end" for node in data["nodes"]):
        shared.findings.append(Finding("/nodes", "", "there is no end, so nothing says what the pipeline gives"))
    if shared.findings:
        raise NoCounterpart(shared.findings)
    yaml_text = write(converted)
    _lint(yaml_text, shared, contracts, library)
    return yaml_text


def write(data: Mapping[str, Any]) -> str:
    """Write YAML as people do: short records on one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice in full each time, instead of an alias."""

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
        raise NoCounterpart([Finding("", "", "this is not a pipeline in the older format", hint)])
    return data


def _entry(nodes: list[Any], shared: Shared) -> tuple[tuple[str, int] | None, dict[str, Any]]:
    """Return the id and position of the entry (None without one), and its `api`, which describes the pipeline."""
    entries = [(at, node) for at, node in enumerate(nodes) if isinstance(node, dict) and node.get("type") == "entry"]
    if len(entries) != 1:
        what = "there is more than one entry" if entries else "there is no entry"
        where = pointer("nodes", entries[1][0]) if entries else "/nodes"
        shared.findings.append(Finding(where, "", what, "a pipeline has one, which says what it takes"))
    if not entries:
        return None, {}
    at, node = entries[0]
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
    declared: dict[str, tuple[str, Any]] = {}
    for old, kind, problem in inputs(api.get("body")):
        if problem and entry:
            shared.findings.append(Finding(pointer("nodes", entry[1], "api", "body"), entry[0], problem))
        new = names.name(old, {name for name, _ in declared.values()}, "input")
        declared[old] = (new, kind)
        shared.origins["input", new] = (("nodes", entry[1], "api", "body") if entry else (), entry[0] if entry else "")
    return declared


def _lint(text: str, shared: Shared, contracts: Mapping[str, Contract], library: Library) -> None:
    try:
        compile_spec(parse(text, "imported.yaml"), contracts, library)
    except PipelineErrors as error:
        raise NoCounterpart(_origin(problem, shared) for problem in error.problems) from None


def _origin(problem: Problem, shared: Shared) -> Finding:
    """Report a problem of the result at the place in the legacy file that it comes from."""
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
