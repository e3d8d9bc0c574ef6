"""What models said, as the recorder wrote it down, and what people say it should have been."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from psycopg.rows import DictRow

from gateway.api.page_cursor import Position
from gateway.api.problems import Fault, Kind, Problem
from gateway.data.history import History
from schemas.contracts import Contract, load_contracts
from schemas.errors import Nonconforming
from schemas.shapes import Field, record_shape
from schemas.validation.conform import conform_field

_SELECT = """
select p.*, c.new as corrected, c.author, c.at as corrected_at
from predictions p
left join lateral (select new, author, at from corrections where prediction = p.id order by id desc limit 1) c on true
"""
_CHOSEN = """
where (%(service)s::text is null or p.service = %(service)s)
  and (%(model)s::text is null or p.model = %(model)s)
  and (%(version)s::text is null or p.version = %(version)s)
  and (%(run)s::text is null or p.run = %(run)s)
  and (%(since)s::timestamptz is null or p.at >= %(since)s)
  and (%(until)s::timestamptz is null or p.at < %(until)s)
  and (%(below)s::float8 is null or p.confidence < %(below)s)
  and (%(corrected)s::boolean is null or (c.new is not null) = %(corrected)s)
  -- Of many predictions few are corrected: those are looked up, not looked for.
  and (%(corrected)s::boolean is distinct from true or p.id in (select prediction from corrections))
  and (%(at)s::timestamptz is null or (p.at, p.id) < (%(at)s, %(id)s::uuid))
order by p.at desc, p.id desc limit %(limit)s
"""


@dataclass(frozen=True)
class PredictionFilter:
    """Which predictions to list, newest first. `before` is the place of the last one of the page before."""

    service: str | None = None
    model: str | None = None
    version: str | None = None
    run: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    below: float | None = None
    """Only those less sure than this; one that does not say how sure it is, is none of them."""
    corrected: bool | None = None
    before: Position | None = None
    limit: int = 50


class Predictions:
    """Reads predictions and writes corrections; every call may raise HistoryUnavailable."""

    def __init__(self, store: History) -> None:
        self._store = store

    async def page(self, wanted: PredictionFilter) -> list[DictRow]:
        """A page, newest first."""
        at, identity = wanted.before or (None, None)
        async with self._store.connection() as connection:
            found = await connection.execute((_SELECT + _CHOSEN).encode(), {**vars(wanted), "at": at, "id": identity})
            return await found.fetchall()

    async def one(self, identity: str) -> tuple[DictRow, list[DictRow]] | None:
        """A prediction and its corrections, oldest first; None when there is none of this id."""
        async with self._store.connection() as connection:
            found = await connection.execute(f"{_SELECT} where p.id = %s::uuid".encode(), [identity])
            row = await found.fetchone()
            if row is None:
                return None
            history = await connection.execute(
                "select author, at, old, new from corrections where prediction = %s::uuid order by id", [identity]
            )
            return row, await history.fetchall()

    async def drift(self, service: str | None, version: str | None) -> list[DictRow]:
        """What was measured last, of a service or a version of its model, or of all."""
        async with self._store.connection() as connection:
            found = await connection.execute(
                """select service, model, version as model_version, feature, psi, chance, level, predictions, measured_at
                   from drift where (%(service)s::text is null or service = %(service)s)
                     and (%(version)s::text is null or version = %(version)s)
                   order by service, measured_at desc, version, feature limit 1000""",
                {"service": service, "version": version},
            )
            return await found.fetchall()

    async def correct(self, identity: str, label: str, right: Any, author: str) -> bool:
        """Says that the output's field `label` should have been `right`; whether that is news.

        What counts already is not written again, so that a call may be repeated.
        """
        async with self._store.connection() as connection, connection.transaction():
            # The row is held, so that of two corrections at once one is the old label of the other.
            found = await connection.execute(
                "select output -> %s::text as said from predictions where id = %s::uuid for update", [label, identity]
            )
            (row,) = await found.fetchall()
            found = await connection.execute(
                "select new from corrections where prediction = %s::uuid order by id desc limit 1", [identity]
            )
            last = await found.fetchone()
            if last is not None and last["new"] == right:
                return False
            await connection.execute(
                "insert into corrections (prediction, author, old, new) values (%s::uuid, %s, %s::jsonb, %s::jsonb)",
                [identity, author, json.dumps(last["new"] if last else row["said"]), json.dumps(right)],
            )
            return True


def label_of(contracts: Mapping[str, Contract], service: str) -> Field | None:
    """The field of a service's output that people can put right; None where there is none.

    `contracts` are those of live services; one that is not live is known by what is shipped.
    """
    contract = contracts.get(service) or _shipped().get(service)
    return record_shape(contract.output).field(contract.label) if contract is not None and contract.label else None


def right_label(field: Field, value: Any) -> Any:
    """A label, as the service's contract has it. Raises Problem (422) that says which labels there are."""
    try:
        return conform_field(field, value)
    except Nonconforming as error:
        faults = [Fault("label", one.problem, allowed(field) or one.hint) for one in error.problems]
        raise Problem(Kind.INVALID, f"This is no {field.name} that the service could have given.", faults) from None


def allowed(field: Field) -> str:
    """The labels that a field can have, for people."""
    if field.enum:
        return f"one of {', '.join(map(str, field.enum))}"
    if field.minimum is not None and field.maximum is not None:
        return f"from {field.minimum:g} to {field.maximum:g}"
    return field.doc


@cache
def _shipped() -> dict[str, Contract]:
    return load_contracts()
