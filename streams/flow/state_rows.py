"""The rows of `flow.state`: one for a run, each token, each loop, each item and each closed place; and the way back from them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streams.flow.run_state import Loop, RunState
from streams.messages import At, Context, Ending, EventKind, Failure, Fault, Item, Opened, Run, Status, Token, Value

OPEN, FATAL, STOP, DONE = "open", "fatal", "stop", "done"


@dataclass(frozen=True)
class Row:
    """One row of one run; `value` None removes it."""

    run: str
    row: str
    value: Mapping[str, Any] | None


def open_row(run: Run) -> Row:
    """The run is open, with its pinned digest."""
    return Row(run.id, OPEN, asdict(run))


def reused_row(run: str, vertex: str, at: At, value: Value) -> Row:
    """What a service gave in the run that this one repeats."""
    return Row(run, _name("reused", vertex, at), {"value": value})


def fatal_row(run: str, failure: Failure) -> Row:
    """The failure for which workers were told to drop the run's tasks."""
    return Row(run, FATAL, asdict(failure))


def token_row(token: Token, since: float) -> Row:
    """A token that waits for others; `since` is when the first of them came (epoch seconds)."""
    value = {
        "since": since,
        "status": token.status.value,
        "context": _context(token.context),
        "failure": asdict(token.failure) if token.failure else None,
        "executions": token.executions,
    }
    return Row(token.run.id, _name("token", token.join, token.at, token.edge), value)


def loop_row(opened: Opened, dispatched: int) -> Row:
    """An open loop, and how many of its items had been dispatched when it was opened."""
    value = {
        "items": list(opened.items),
        "body": _context(opened.body),
        "after": _context(opened.after),
        "executions": opened.executions,
        "dispatched": dispatched,
    }
    return Row(opened.run.id, _name("loop", opened.loop, opened.at), value)


def item_row(item: Item, dispatched: int) -> Row:
    """An ended item, and how many items had been dispatched by then."""
    value = {
        "status": item.status.value,
        "value": item.value,
        "failure": asdict(item.failure) if item.failure else None,
        "executions": item.executions,
        "dispatched": dispatched,
    }
    return Row(item.run.id, _name("item", item.loop, item.at, str(item.index)), value)


def closed_row(run: str, vertex: str, at: At, executions: int) -> Row:
    """A closed join, and how many executions its tokens told of."""
    return Row(run, _name("closed", vertex, at), {"executions": executions})


def ended_row(run: str, vertex: str, at: At, executions: int) -> Row:
    """An ended loop, and how many executions its opening and its items told of."""
    return Row(run, _name("ended", vertex, at), {"executions": executions})


def stop_row(run: str, ending: Ending) -> Row:
    """The run is about to be ended, whatever comes of it."""
    return Row(run, STOP, {"ending": ending.value})


def left_behind(run: str, rows: Iterable[str]) -> list[Row]:
    """What removes the rows of an ended run that its end did not: a worker was lost between its marker and them.

    Were they left, the run would look open again once its marker is gone.
    """
    present = set(rows)
    return [Row(run, row, None) for row in sorted(present - {DONE})] if DONE in present else []


def rebuild(run_id: str, rows: Mapping[str, Mapping[str, Any]], default_window: Mapping[str, int]) -> RunState:
    """The state of a run from its rows, whatever order they were read in. `default_window` is each loop's concurrency."""
    run = Run(**rows[OPEN]) if OPEN in rows else Run(run_id, "", "", 0.0)
    state = RunState(run, opened=OPEN in rows, rows=set(rows))
    if DONE in rows:
        state.rows = {DONE}
        state.done = EventKind(rows[DONE]["kind"])
        state.opened = bool(rows[DONE].get("opened", True))
        return state
    state.fatal = _failure(rows.get(FATAL))
    state.stopping = Ending(rows[STOP]["ending"]) if STOP in rows else None
    for name, value in rows.items():
        kind, _, rest = name.partition("|")
        if kind in (OPEN, FATAL, STOP):
            continue
        vertex, at_text, *more = rest.split("|")
        place = (vertex, _at(at_text))
        if kind == "closed":
            state.closed.add(place)
            state.executions += value.get("executions", 0)
        elif kind == "ended":
            state.ended.add(place)
            state.executions += value.get("executions", 0)
        elif kind == "reused":
            state.reused[place] = value["value"]
        elif kind == "token":
            failure = _failure(value["failure"])
            executions = value.get("executions", 0)
            token = Token(
                run, *place, more[0], Status(value["status"]), _read(value["context"]), failure, executions=executions
            )
            state.joins.setdefault(place, {})[more[0]] = token
            state.since[place] = min(value["since"], state.since.get(place, value["since"]))
        elif kind == "loop":
            loop = state.loops.setdefault(place, Loop())
            items, executions = tuple(value["items"]), value.get("executions", 0)
            loop.opened = Opened(run, *place, items, _read(value["body"]), _read(value["after"]), executions)
            loop.dispatched = max(
                loop.dispatched, value.get("dispatched", min(len(items), default_window.get(vertex, 0)))
            )
        elif kind == "item":
            loop = state.loops.setdefault(place, Loop())
            index, status = int(more[0]), Status(value["status"])
            executions = value.get("executions", 0)
            loop.take(
                Item(run, *place, index, status, value["value"], _failure(value["failure"]), executions=executions)
            )
            loop.dispatched = max(loop.dispatched, value["dispatched"])
    for place in state.closed:
        state.joins.pop(place, None)
        state.since.pop(place, None)
    for place in state.ended:
        state.loops.pop(place, None)
    state.executions += sum(one.executions for tokens in state.joins.values() for one in tokens.values())
    state.executions += sum(loop.executions for loop in state.loops.values())
    return state


def _name(kind: str, vertex: str, at: At, *more: str) -> str:
    return "|".join((kind, vertex, ".".join(map(str, at)), *more))


def _at(text: str) -> At:
    return tuple(int(part) for part in text.split(".")) if text else ()


def _context(context: Context) -> dict[str, Any]:
    return {"values": dict(context.values), "skipped": sorted(context.skipped)}


def _read(data: Mapping[str, Any]) -> Context:
    return Context(data["values"], frozenset(data["skipped"]))


def _failure(data: Mapping[str, Any] | None) -> Failure | None:
    return Failure(data["reason"], Fault(data["fault"]), data["path"], data["hint"]) if data else None
