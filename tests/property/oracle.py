"""What a pipeline's YAML means, as a plain recursive interpreter: Python values, no messages, no tokens, no topology.

Where the language leaves a choice (`wait: any` goes on with whichever input comes first), a `Choices` decides; `outcomes`
tries every decision, so that what a run gave can be looked for among them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.contracts import Contract
from schemas.encoding.codec import Nonconforming, conform
from streams.errors import EvaluationError
from streams.language import template
from streams.language.definition.model import BlockSpec, NodeKind, NodeSpec, PipelineSpec
from streams.language.expressions.expression import parse
from streams.language.types import record_schema
from streams.messages import Fault
from streams.testing.driver import ServiceFailed

Service = Callable[[Mapping[str, Any], int], Mapping[str, Any]]
"""An input record and which attempt it is, to the output record."""

BARE = ("when", "if", "until")
DEFAULT_ATTEMPTS = 3
DEFAULT_CONCURRENCY = 64


@dataclass(frozen=True)
class Given:
    """It gave a value."""

    value: Any


@dataclass(frozen=True)
class Skipped:
    """It was skipped."""


@dataclass(frozen=True)
class Failed:
    """It failed; any of these (fault, printed path) may be the reason that is reported."""

    reasons: frozenset[tuple[Fault, str]]


End = Given | Skipped | Failed


@dataclass(frozen=True)
class Told:
    """A node that ended by itself, as its event tells it. `value` is what it gave, or None."""

    path: str
    kind: str
    value: Any = None
    certain: bool = True
    """False inside a loop that failed before all its items had begun: which of them did depends on what came first."""


class NodeFailed(Exception):
    """A node failed where it stands."""

    def __init__(self, *reasons: tuple[Fault, str]) -> None:
        self.reasons = frozenset(reasons)


@dataclass
class Choices:
    """Decisions in the order in which they are asked for: a script, then always the first."""

    script: list[int] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)

    def one_of(self, number: int) -> int:
        """A number below `number`."""
        at = len(self.taken)
        choice = self.script[at] if at < len(self.script) else 0
        self.taken.append((choice, number))
        return choice

    def following(self) -> list[int] | None:
        """The next script in order; None after the last."""
        taken = list(self.taken)
        while taken:
            choice, number = taken.pop()
            if choice + 1 < number:
                return [*(one for one, _ in taken), choice + 1]
        return None


@dataclass
class Meaning:
    """What a run came to, and what its nodes told on the way."""

    end: Given | Failed
    told: list[Told]


def outcomes(
    spec: PipelineSpec,
    inputs: Mapping[str, Any],
    contracts: Mapping[str, Contract],
    services: Mapping[str, Service],
    library: Mapping[str, PipelineSpec],
    impatient: bool = False,
) -> Iterator[Meaning]:
    """Every meaning of a run, one for each way to decide. `impatient`: a node's `deadline` may pass at any moment."""
    script: list[int] | None = []
    while script is not None:
        choices = Choices(script)
        interpreter = Interpreter(contracts, services, library, choices, impatient)
        yield Meaning(interpreter.block(spec.block, inputs, ""), interpreter.told)
        script = choices.following()


@dataclass
class Local:
    """The nodes of one block, and which of them each waits for."""

    nodes: Mapping[str, NodeSpec]
    ends: dict[str, End] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waits = {name: names_in(node) & self.nodes.keys() for name, node in self.nodes.items()}

    def ready(self) -> str | None:
        """A node that has not ended and waits for nothing any more."""
        return next(
            (name for name in self.nodes if name not in self.ends and self.waits[name] <= self.ends.keys()), None
        )

    def unread(self) -> frozenset[str]:
        """Nodes that no other waits for."""
        return frozenset(self.nodes) - frozenset().union(*self.waits.values())

    def independent(self, name: str) -> list[str]:
        """What a node waits for, less what one of these waits for itself."""
        waits = self.waits[name]
        return sorted(wait for wait in waits if not any(wait in self.certain(other) for other in waits - {wait}))

    def certain(self, name: str) -> frozenset[str]:
        """The nodes that have ended for certain when this one has, itself included."""
        sets = [self.certain(one) for one in self.independent(name)]
        if not sets:
            return frozenset({name})
        keys = self.nodes[name].keys
        part = keys.get("wait") == "any" or "deadline" in keys  # it may go on without some of them
        return (frozenset.intersection(*sets) if part else frozenset().union(*sets)) | {name}

    def reasons(self, names: Iterable[str]) -> frozenset[tuple[Fault, str]]:
        """Why these failed, those of them that did."""
        ends = (self.ends[name] for name in names)
        return frozenset().union(*(end.reasons for end in ends if isinstance(end, Failed)))


@dataclass
class Interpreter:
    """Interprets one run with one script of decisions."""

    contracts: Mapping[str, Contract]
    services: Mapping[str, Service]
    library: Mapping[str, PipelineSpec]
    choices: Choices
    impatient: bool = False
    told: list[Told] = field(default_factory=list)

    def block(self, spec: BlockSpec, known: Mapping[str, Any], path: str) -> Given | Failed:
        """A block's output."""
        after = self.nodes(spec, known, path, names_in_value(spec.output))
        if isinstance(after, Failed):
            return after
        try:
            return Given(evaluate(spec.output, after))
        except EvaluationError:
            return Failed(frozenset({(Fault.PIPELINE, path)}))

    def nodes(
        self, spec: BlockSpec, known: Mapping[str, Any], path: str, last: frozenset[str]
    ) -> Mapping[str, Any] | Failed:
        """What is known when all nodes of a block have ended; `last` is read at its end."""
        local = Local({node.name: node for node in spec.nodes})
        known = dict(known)
        while (name := local.ready()) is not None:
            end = self.node(local, name, known, f"{path}.{name}".removeprefix("."))
            local.ends[name] = end
            if isinstance(end, Given):
                known[name] = end.value
        assert local.ends.keys() == local.nodes.keys(), "the generator made a cycle"
        reasons = local.reasons(local.unread() | (last & local.nodes.keys()))
        return Failed(reasons) if reasons else known

    def node(self, local: Local, name: str, known: Mapping[str, Any], path: str) -> End:
        """How a node ends when all that it waits for has."""
        node, inputs = local.nodes[name], local.independent(name)
        given = [one for one in inputs if isinstance(local.ends[one], Given)]
        any_of = node.keys.get("wait") == "any"
        if self.impatient and "deadline" in node.keys:
            missed = [()] + [part for part in _parts(inputs) if not (any_of and set(part) & set(given))]
            arrived = missed[self.choices.one_of(len(missed))]
            if arrived:
                reasons = local.reasons(arrived)
                visible = _without(known, local, arrived)
                return (
                    Failed(reasons) if reasons else self.failed(node, visible, frozenset({(Fault.SERVICE, path)}), path)
                )
        if any_of and given:
            known = _without(known, local, [given[self.choices.one_of(len(given))]])
        elif reasons := local.reasons(local.waits[name]):
            return Failed(reasons)
        try:
            end = self.started(node, known, path)
        except EvaluationError:
            return self.failed(node, known, frozenset({(Fault.PIPELINE, path)}), path)
        except NodeFailed as failure:
            return self.failed(node, known, failure.reasons, path)
        if isinstance(end, Given):
            self.told.append(Told(path, "finished", end.value))
        else:
            self.told.append(Told(path, "skipped"))
        return end

    def failed(self, node: NodeSpec, known: Mapping[str, Any], reasons: frozenset[tuple[Fault, str]], path: str) -> End:
        """What `on_error` makes of a failure."""
        self.told.append(Told(path, "failed"))
        on_error = node.keys.get("on_error", "fail")
        if on_error == "skip":
            return Skipped()
        if on_error == "fail" or not met([on_error["use"]], known):
            return Failed(reasons)
        try:
            return Given(evaluate(on_error["use"], known))
        except EvaluationError:
            return Failed(reasons)

    def started(self, node: NodeSpec, known: Mapping[str, Any], path: str) -> Given | Skipped:
        """A node that is not held back. Raises NodeFailed and EvaluationError."""
        own = [node.subject] if node.kind in (NodeKind.VALUE, NodeKind.EACH, NodeKind.REPEAT) else []
        own += [node.keys["with"]] if "with" in node.keys else []
        bare = [node.keys[key] for key in ("when", "if") if key in node.keys]
        if not met(own, known, bare):
            return Skipped()
        if "when" in node.keys and not parse(node.keys["when"]).evaluate(known):
            return Skipped()
        match node.kind:
            case NodeKind.SERVICE:
                return Given(self.service(node, known, path))
            case NodeKind.VALUE:
                return Given(evaluate(node.subject, known))
            case NodeKind.IF:
                return self.branch(node, known, path)
            case NodeKind.EACH:
                return Given(self.each(node, known, path))
            case NodeKind.REPEAT:
                return Given(self.repeat(node, known, path))
            case NodeKind.PIPELINE:
                return Given(self.pipeline(node, known, path))
        raise AssertionError(node.kind)

    def service(self, node: NodeSpec, known: Mapping[str, Any], path: str) -> Any:
        """A service's output, tried as often as the node says."""
        record = self.record(self.contracts[node.subject].input_schema, node, known, path)
        attempts = node.keys.get("retry", {}).get("attempts", DEFAULT_ATTEMPTS)
        for attempt in range(1, attempts + 1):
            try:
                return dict(self.services[node.subject](record, attempt))
            except ServiceFailed as error:
                if error.fault is not Fault.SERVICE or attempt == attempts:
                    raise NodeFailed((error.fault, path)) from None
        raise AssertionError("no attempt at all")

    def record(self, schema: Any, node: NodeSpec, known: Mapping[str, Any], path: str) -> dict[str, Any]:
        """The inputs of a service or pipeline, checked."""
        given = {name: evaluate(value, known) for name, value in node.keys.get("with", {}).items()}
        try:
            made: dict[str, Any] = conform(schema, given)
        except Nonconforming:
            raise NodeFailed((Fault.PIPELINE, path)) from None
        return made

    def branch(self, node: NodeSpec, known: Mapping[str, Any], path: str) -> Given | Skipped:
        """The side that the condition says."""
        side = "then" if parse(node.subject).evaluate(known) else "else"
        if side not in node.blocks:
            return Skipped()
        return _given(self.block(node.blocks[side], known, f"{path}.{side}"))

    def each(self, node: NodeSpec, known: Mapping[str, Any], path: str) -> list[Any]:
        """One output for each item."""
        ((variable, items),) = node.subject.items()
        ends, before = [], len(self.told)
        for index, item in enumerate(evaluate(items, known)):
            inner = {**known, variable: item, "index": index}
            ends.append(self.block(node.blocks[""], inner, f"{path}[{index}]"))
        reasons = frozenset().union(*(end.reasons for end in ends if isinstance(end, Failed)))
        if reasons:
            if len(ends) > node.keys.get("concurrency", DEFAULT_CONCURRENCY):
                self.told[before:] = [replace(one, certain=False) for one in self.told[before:]]
            raise NodeFailed(*reasons)
        return [end.value for end in ends if isinstance(end, Given)]

    def repeat(self, node: NodeSpec, known: Mapping[str, Any], path: str) -> Any:
        """The output of the last round."""
        body, following, until = node.blocks[""], node.keys.get("next", {}), node.keys.get("until")
        last = names_in_value(body.output) | names_in_value(following) | (parse(until).names if until else frozenset())
        state = {name: evaluate(value, known) for name, value in node.subject.items()}
        for index in range(node.keys["max"]):
            after = self.nodes(body, {**known, **state}, f"{path}[{index}]", last)
            if isinstance(after, Failed):
                raise NodeFailed(*after.reasons)
            try:
                if (until and parse(until).evaluate(after)) or index + 1 == node.keys["max"]:
                    return evaluate(body.output, after)
                state.update({name: evaluate(value, after) for name, value in following.items()})
            except EvaluationError:
                raise NodeFailed((Fault.PIPELINE, f"{path}[{index}]")) from None
        raise AssertionError("no round at all")

    def pipeline(self, node: NodeSpec, known: Mapping[str, Any], path: str) -> Any:
        """Another pipeline's output; it sees nothing but its inputs."""
        spec = self.library[node.subject]
        inputs = self.record(record_schema("Input", spec.inputs), node, known, path)
        return _given(self.block(spec.block, inputs, path)).value


def evaluate(value: Any, known: Mapping[str, Any]) -> Any:
    """A piece of YAML with its expressions evaluated. Raises EvaluationError."""
    return template.evaluate(template.read(value, ()), known)


def met(values: list[Any], known: Mapping[str, Any], bare: Iterable[str] = ()) -> bool:
    """Whether nothing that these strictly read is missing."""
    needs = template.needs(*(template.read(value, ()) for value in values), *map(parse, bare))
    return needs.met(needs.read() - known.keys())


def names_in_value(value: Any) -> frozenset[str]:
    """Every name that a piece of YAML reads."""
    return template.needs(template.read(value, ())).read()


def names_in(node: NodeSpec) -> frozenset[str]:
    """Every name that a node reads, also inside its blocks. (Names are given once in a pipeline: none hides another.)"""
    found: set[str] = set()
    for key, value in node.keys.items():
        if key in BARE:
            found |= parse(value).names
        elif key in ("with", "value", "each", "repeat", "next", "on_error"):
            found |= names_in_value(value)
    for block in node.blocks.values():
        found |= names_in_value(block.output)
        found = found.union(*map(names_in, block.nodes))
    return frozenset(found)


def _given(end: Given | Failed) -> Given:
    if isinstance(end, Failed):
        raise NodeFailed(*end.reasons)
    return end


def _parts(names: list[str]) -> list[tuple[str, ...]]:
    """Every choice of some of these, but neither none nor all."""
    return [tuple(name for bit, name in enumerate(names) if mask >> bit & 1) for mask in range(1, 2 ** len(names) - 1)]


def _without(known: Mapping[str, Any], local: Local, arrived: Iterable[str]) -> dict[str, Any]:
    """What is known when only these nodes, and what they waited for themselves, have ended."""
    there = frozenset().union(*map(local.certain, arrived))
    return {name: value for name, value in known.items() if name not in local.nodes or name in there}
