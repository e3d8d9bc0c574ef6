"""Predictions: what models said, with which confidence, and correcting what was wrong."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.api import page_cursor
from gateway.api.json_response import json_response
from gateway.api.path_ids import RunId, known
from gateway.api.problems import Fault, Kind, Problem
from gateway.api.query_times import QueryTime
from gateway.catalogue.catalogue import Catalogue
from gateway.data.interfaces import PredictionFilter, PredictionStore, Row
from gateway.data.labels import corrected_label, label_field
from gateway.data.render import rendered
from gateway.dependencies import AuthenticatorDep, LimitsDep, LiveCatalogueDep, PredictionsDep
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
"""Bytes of a correction, at most."""

Identity = Annotated[str, Path(max_length=60)]


class PredictionQuery(BaseModel):
    """Selects predictions, newest first."""

    service: Annotated[str | None, Field(max_length=200)] = None
    model: Annotated[str | None, Field(max_length=200)] = None
    model_version: Annotated[str | None, Field(max_length=200)] = None
    run: Annotated[RunId | None, Field(max_length=60)] = None
    since: Annotated[QueryTime | None, Field(description="Only those made at or after this time.")] = None
    until: Annotated[QueryTime | None, Field(description="Only those made before this time.")] = None
    below: Annotated[float | None, Field(ge=0, le=1, description="Only those with a lower confidence.")] = None
    corrected: Annotated[bool | None, Field(description="Only those that were, or were not, corrected.")] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str | None, Field(max_length=300)] = None

    def filter(self) -> PredictionFilter:
        """Return the filter, for one prediction more than the page shows. Raises Problem (422) for a bad cursor."""
        return PredictionFilter(
            self.service,
            self.model,
            self.model_version,
            self.run,
            page_cursor.aware(self.since),
            page_cursor.aware(self.until),
            self.below,
            self.corrected,
            page_cursor.read(self.cursor, uuids=True),
            self.limit + 1,
        )


@router.get("/predictions", summary="What models said, newest first")
async def listing(
    query: Annotated[PredictionQuery, Query()], predictions: PredictionsDep, catalogue: LiveCatalogueDep
) -> Response:
    """From the history, which follows the events by a moment. One alone shows its whole output and its corrections."""
    rows = await predictions.page(query.filter())
    page = rows[: query.limit]
    following = page_cursor.written(page[-1]["at"], str(page[-1]["id"])) if len(rows) > query.limit else None
    return json_response({"predictions": [_summary(row, catalogue) for row in page], "next": following})


@router.get("/predictions/drift", summary="How far what models met last is from what they learned from")
async def drift(
    predictions: PredictionsDep,
    service: Annotated[str | None, Query(max_length=200)] = None,
    model_version: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Return population stability indices of the features that a model's card describes; new input is measured every now and then."""
    rows = await predictions.drift(service, model_version)
    return json_response({"drift": [{**row, "measured_at": moment(row["measured_at"])} for row in rows]})


@router.get("/predictions/{identity}", summary="One prediction, with its output and its corrections")
async def detail(identity: Identity, predictions: PredictionsDep, catalogue: LiveCatalogueDep) -> Response:
    """Every correction stays listed; the newest one counts."""
    return json_response(_document(*await _find(predictions, identity), catalogue))


@router.post(
    "/predictions/{identity}/corrections",
    status_code=201,
    summary="Say what a prediction should have been",
    openapi_extra=_CORRECTION,
)
async def correct(
    identity: Identity,
    request: Request,
    limits: LimitsDep,
    authenticator: AuthenticatorDep,
    predictions: PredictionsDep,
    catalogue: LiveCatalogueDep,
) -> Response:
    """201 with the prediction as it stands now; 200 when this label counts already. The label is one that the service
    could have given itself; its own confirms it.
    """
    fields = await body.parse(await body.read(request, _MOST), limits)
    if not isinstance(fields, dict) or fields.keys() != {"label"}:
        fault = Fault("label", "the body is not an object with this one member", 'send {"label": …}')
        raise Problem(Kind.INVALID, "This is not a correction.", [fault])
    row, _ = await _find(predictions, identity)
    field = label_field(catalogue.live_contracts(), row["service"])
    if field is None:
        fault = Fault("", f"{row['service']} names no field of its output as its label")
        raise Problem(Kind.INVALID, f"What {row['service']} says cannot be corrected.", [fault])
    label = corrected_label(field, fields["label"])
    fresh = await predictions.correct(str(row["id"]), field.name, label, authenticator.name)
    document = _document(*await _find(predictions, identity), catalogue)
    return json_response(document, 201 if fresh else 200, {"Location": f"/predictions/{row['id']}"})


async def _find(predictions: PredictionStore, identity: str) -> tuple[Row, Sequence[Row]]:
    """Return a prediction and its corrections. Raises Problem (404)."""
    prediction = await predictions.find(known(identity, "prediction"))
    if prediction is None:
        raise Problem(Kind.NOT_FOUND, f"No prediction {identity} is known; one is listed a moment after it was made.")
    return prediction


def _document(row: Row, corrections: Sequence[Row], catalogue: Catalogue) -> dict[str, Any]:
    return {
        **_summary(row, catalogue),
        "output": rendered(row["output"]),
        "kept": rendered(row["kept"]),
        "corrections": [
            {"by": each["author"], "at": moment(each["at"]), "old": each["old"], "new": each["new"]}
            for each in corrections
        ],
    }


def _summary(row: Row, catalogue: Catalogue) -> dict[str, Any]:
    field = label_field(catalogue.live_contracts(), row["service"])
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
