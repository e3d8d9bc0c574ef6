"""Predictions: what models said, how sure they were, and putting right what was wrong."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from psycopg.rows import DictRow
from starlette.responses import Response

from gateway.api import page_cursor
from gateway.api.json_response import json_response
from gateway.api.path_ids import RunId, known
from gateway.api.problems import Fault, Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.data.predictions import PredictionFilter, Predictions, label_of, right_label
from gateway.data.render import rendered
from gateway.dependencies import Parts, Shared
from gateway.http import body
from streams.timestamps import moment

router = APIRouter(tags=["predictions"])

_CORRECTION = body.described(
    {
        "type": "object",
        "properties": {"label": {"description": "What it should have been."}},
        "required": ["label"],
        "additionalProperties": False,
    },
    required=True,
)
_MOST = 4096
"""Bytes of a correction."""

Identity = Annotated[str, Path(max_length=60)]


@router.get("/predictions", summary="What models said, newest first")
async def listing(
    parts: Parts = Shared,
    service: Annotated[str | None, Query(max_length=200)] = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    model_version: Annotated[str | None, Query(max_length=200)] = None,
    run: Annotated[RunId | None, Query(max_length=60)] = None,
    since: Annotated[QueryTime | None, Query(description="Only those made at or after this time.")] = None,
    until: Annotated[QueryTime | None, Query(description="Only those made before this time.")] = None,
    below: Annotated[float | None, Query(ge=0, le=1, description="Only those with a lower confidence.")] = None,
    corrected: Annotated[bool | None, Query(description="Only those that were, or were not, corrected.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor_: Annotated[str | None, Query(alias="cursor", max_length=300)] = None,
) -> Response:
    """From the history, which follows the events by a moment. One alone shows its whole output and its corrections."""
    place = page_cursor.read(cursor_, uuids=True)
    wanted = PredictionFilter(
        service,
        model,
        model_version,
        run,
        page_cursor.aware(since),
        page_cursor.aware(until),
        below,
        corrected,
        place,
        limit + 1,
    )
    rows = await Predictions(parts.store).page(wanted)
    page = rows[:limit]
    following = page_cursor.written(page[-1]["at"], str(page[-1]["id"])) if len(rows) > limit else None
    return json_response({"predictions": [_summary(parts, row) for row in page], "next": following})


@router.get("/predictions/drift", summary="How far what models met last is from what they learned from")
async def drift(
    parts: Parts = Shared,
    service: Annotated[str | None, Query(max_length=200)] = None,
    model_version: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Population stability indices of the features that a model's card describes; what meets a model is measured by and by."""
    rows = await Predictions(parts.store).drift(service, model_version)
    return json_response({"drift": [{**row, "measured_at": moment(row["measured_at"])} for row in rows]})


@router.get("/predictions/{identity}", summary="One prediction, with its output and its corrections")
async def detail(identity: Identity, parts: Parts = Shared) -> Response:
    """Every correction stays listed; the newest one counts."""
    return json_response(await _document(parts, identity))


@router.post(
    "/predictions/{identity}/corrections",
    status_code=201,
    summary="Say what a prediction should have been",
    openapi_extra=_CORRECTION,
)
async def correct(identity: Identity, request: Request, parts: Parts = Shared) -> Response:
    """201 with the prediction as it stands now; 200 when this label counts already. The label is one that the service
    could have given itself; its own confirms it.
    """
    given = await body.parse(await body.read(request, _MOST), parts.limits)
    if not isinstance(given, dict) or given.keys() != {"label"}:
        fault = Fault("label", "the body is no object with this one member", 'send {"label": …}')
        raise Problem(Kind.INVALID, "This is no correction.", [fault])
    row, _ = await _found(parts, identity)
    field = label_of(parts.services.contracts(), row["service"])
    if field is None:
        fault = Fault("", f"{row['service']} names no field of its output as its label")
        raise Problem(Kind.INVALID, f"What {row['service']} says cannot be corrected.", [fault])
    right = right_label(field, given["label"])
    fresh = await Predictions(parts.store).correct(str(row["id"]), field.name, right, parts.keeper.name)
    return json_response(
        await _document(parts, identity), 201 if fresh else 200, {"Location": f"/predictions/{row['id']}"}
    )


async def _document(parts: Parts, identity: str) -> dict[str, Any]:
    row, history = await _found(parts, identity)
    corrections = [
        {"by": one["author"], "at": moment(one["at"]), "old": one["old"], "new": one["new"]} for one in history
    ]
    return {
        **_summary(parts, row),
        "output": rendered(row["output"]),
        "kept": rendered(row["kept"]),
        "corrections": corrections,
    }


async def _found(parts: Parts, identity: str) -> tuple[DictRow, list[DictRow]]:
    found = await Predictions(parts.store).one(known(identity, "prediction"))
    if found is None:
        raise Problem(Kind.NOT_FOUND, f"No prediction {identity} is known; one is listed a moment after it was made.")
    return found


def _summary(parts: Parts, row: DictRow) -> dict[str, Any]:
    field = label_of(parts.services.contracts(), row["service"])
    correction = None
    if row["author"] is not None:
        correction = {"label": row["corrected"], "by": row["author"], "at": moment(row["corrected_at"])}
    return {
        "id": str(row["id"]),
        "service": row["service"],
        "model": row["model"],
        "model_version": row["version"],
        "label": row["output"].get(field.name) if field else None,
        "confidence": row["confidence"],
        "correction": correction,
        "run": row["run"],
        "path": row["path"],
        "input": row["input"],
        "at": moment(row["at"]),
        "links": {"self": f"/predictions/{row['id']}", "run": f"/runs/{row['run']}"},
    }
