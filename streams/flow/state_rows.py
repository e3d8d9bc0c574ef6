"""The rows of `flow.state`: one for each run, token, loop, item and closed place; and how to rebuild a state from them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from streams.flow.run_state import Loop, Place, RunState
from streams.messages import (
    At,
    Context,
    Ending,
    EventKind,
    Failure,
    Fault,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Run,
    Status,
    Value,
)

OPEN, FATAL, STOP, DONE = "open", "fatal", "stop", "done"


@dataclass(frozen=True)
class Row:
    """One row of one run; `value` None removes it."""

    run: str
    row: str
    value: Mapping[str, Any] | None


def open_row(run: Run) -> Row:
    """Return the row of an open run, with its pinned digest."""
    value = asdict(run)
    if not run.straight:
        del value["straight"]  # a worker of an older version, beside this one, knows no such field
    return Row(run.id, OPEN, value)


def reused_row(run: str, vertex: str, at: At, value: Value) -> Row:
    """Return the row of a value that a service returned in the run that this one repeats."""
    return Row(run, _name("reused", vertex, at), {"value": value})


def fatal_row(run: str, failure: Failure) -> Row:
    """Return the row of the failure for which workers drop the run's tasks."""
    return Row(run, FATAL, asdict(failure))


def token_row(token: JoinToken, since: float) -> Row:
    """Return the row of a token that waits for others; `since` is when the first of them came, in epoch seconds."""
    value = {
        "since": since,
        "status": token.status.value,
        "context": _context(token.context),
        "failure": asdict(token.failure) if token.failure else None,
        "executions": token.executions,
    }
    return Row(token.run.id, _name("token", token.join, token.at, token.edge), value)


def loop_row(opened: LoopOpened, dispatched: int) -> Row:
    """Return the row of an open loop; `dispatched` is how many items were dispatched when it was opened."""
    value = {
        "items": list(opened.items),
        "body": _context(opened.body),
        "after": _context(opened.after),
        "executions": opened.executions,
        "dispatched": dispatched,
    }
    return Row(opened.run.id, _name("loop", opened.loop, opened.at), value)


def item_row(item: LoopItemDone, dispatched: int) -> Row:
    """Return the row of an ended item; `dispatched` is how many items were dispatched by then."""
    value = {
        "status": item.status.value,
        "value": item.value,
        "failure": asdict(item.failure) if item.failure else None,
        "executions": item.executions,
        "dispatched": dispatched,
    }
    return Row(item.run.id, _name("item", item.loop, item.at, str(item.index)), value)


def closed_row(run: str, vertex: str, at: At, executions: int) -> Row:
    """Return the row of a closed join, with the executions that its tokens reported."""
    return Row(run, _name("closed", vertex, at), {"executions": executions})


def ended_row(run: str, vertex: str, at: At, executions: int) -> Row:
    """Return the row of an ended loop, with the executions that its opening and its items reported."""
    return Row(run, _name("ended", vertex, at), {"executions": executions})


def stop_row(run: str, ending: Ending) -> Row:
    """Return the row of a run whose end is decided."""
    return Row(run, STOP, {"ending": ending.value})


def left_behind(run: str, rows: Iterable[str]) -> list[Row]:
    """Return tombstones for rows that an ended run still has, because a worker was lost after it wrote the marker.

    With these rows left, the run would look open again once its marker has expired.
    """
    present = set(rows)
    return [Row(run, row, None) for row in sorted(present - {DONE})] if DONE in present else []


def rebuild(run_id: str, rows: Mapping[str, Mapping[str, Any]], default_window: Mapping[str, int]) -> RunState:
    """Rebuild the state of a run from its rows, in any order. `default_window` is the concurrency of each loop."""
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
        if kind in _READERS:
            vertex, positions, *more = rest.split("|")
            _READERS[kind](state, _Read((vertex, _at(positions)), more, value, default_window.get(vertex, 0)))
    for place in state.closed:
        state.joins.pop(place, None)
        state.since.pop(place, None)
    for place in state.ended:
        state.loops.pop(place, None)
    state.executions += sum(token.executions for tokens in state.joins.values() for token in tokens.values())
    state.executions += sum(loop.executions for loop in state.loops.values())
    return state


@dataclass(frozen=True, slots=True)
class _Read:
    """A row of a place as it was read: what its name says, its value, and the loop's concurrency."""

    place: Place
    more: Sequence[str]
    """What is behind the place in the row's name: a token's edge, an item's index."""
    value: Mapping[str, Any]
    window: int

    @property
    def executions(self) -> int:
        """The executions that the row counts."""
        return int(self.value.get("executions", 0))


def _read_closed(state: RunState, row: _Read) -> None:
    state.closed.add(row.place)
    state.executions += row.executions


def _read_ended(state: RunState, row: _Read) -> None:
    state.ended.add(row.place)
    state.executions += row.executions


def _read_reused(state: RunState, row: _Read) -> None:
    state.reused[row.place] = row.value["value"]


def _read_token(state: RunState, row: _Read) -> None:
    (edge,), value = row.more, row.value
    status, context, failure = Status(value["status"]), _context_of(value["context"]), _failure(value["failure"])
    token = JoinToken(state.run, *row.place, edge, status, context, failure, executions=row.executions)
    state.joins.setdefault(row.place, {})[edge] = token
    state.since[row.place] = min(value["since"], state.since.get(row.place, value["since"]))


def _read_loop(state: RunState, row: _Read) -> None:
    loop, value = state.loops.setdefault(row.place, Loop()), row.value
    items, body, after = tuple(value["items"]), _context_of(value["body"]), _context_of(value["after"])
    loop.opened = LoopOpened(state.run, *row.place, items, body, after, row.executions)
    loop.dispatched = max(loop.dispatched, value.get("dispatched", min(len(items), row.window)))


def _read_item(state: RunState, row: _Read) -> None:
    loop, value = state.loops.setdefault(row.place, Loop()), row.value
    (index,), status, failure = row.more, Status(value["status"]), _failure(value["failure"])
    loop.take(
        LoopItemDone(state.run, *row.place, int(index), status, value["value"], failure, executions=row.executions)
    )
    loop.dispatched = max(loop.dispatched, value["dispatched"])


_READERS: Mapping[str, Callable[[RunState, _Read], None]] = {
    "closed": _read_closed,
    "ended": _read_ended,
    "reused": _read_reused,
    "token": _read_token,
    "loop": _read_loop,
    "item": _read_item,
}
"""What adds a row of a place to the state, by the first word of its name."""


def _name(kind: str, vertex: str, at: At, *more: str) -> str:
    return "|".join((kind, vertex, ".".join(map(str, at)), *more))


def _at(text: str) -> At:
    return tuple(int(part) for part in text.split(".")) if text else ()


def _context(context: Context) -> dict[str, Any]:
    return {"values": dict(context.values), "skipped": sorted(context.skipped)}


def _context_of(data: Mapping[str, Any]) -> Context:
    return Context(data["values"], frozenset(data["skipped"]))


def _failure(data: Mapping[str, Any] | None) -> Failure | None:
    return Failure(data["reason"], Fault(data["fault"]), data["path"], data["hint"]) if data else None
