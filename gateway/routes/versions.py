"""The versions of a pipeline: listing them, the results of a trial, rolling back, and forgetting unused ones."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.api.json_response import json_response
from gateway.api.problems import Fault, Kind, Problem
from gateway.catalogue.catalogue import within
from gateway.catalogue.definitions import Condition
from gateway.data.interfaces import HistoryUnavailable
from gateway.data.render import rendered
from gateway.dependencies import CatalogueDep, ConnectionsDep, DefinitionsDep, HistoryDep, LimitsDep, PipelinesDep
from gateway.http import body
from streams.flow.rollout import Trial, percent
from streams.runtime.catalogue import versions
from streams.runtime.catalogue.version import Version
from streams.runtime.catalogue.versions import Known
from streams.timestamps import moment

router = APIRouter(tags=["pipelines"])

_ROLLBACK = body.described(
    {
        "type": "object",
        "properties": {"digest": {"type": "string", "description": "The version to go back to."}},
        "additionalProperties": False,
    }
)


@router.get("/pipelines/{name}/versions", summary="The versions of a pipeline, newest first")
async def listing(name: str, catalogue: CatalogueDep, pipelines: PipelinesDep, history: HistoryDep) -> Response:
    """Each with what it is now (active, canary, shadow, former), its share of new runs, and its open runs."""
    known = versions.listed(pipelines, name)
    if not known:
        await catalogue.pipeline(name)  # 404, with what is near
    try:
        runs: dict[str, int] | None = await history.open_runs(name)
    except HistoryUnavailable:
        runs = None
    return json_response({"pipeline": name, "versions": [_document(version, runs) for version in known]})


@router.post("/pipelines/{name}/rollback", summary="Go back to an earlier version", openapi_extra=_ROLLBACK)
async def rollback(name: str, request: Request, limits: LimitsDep, definitions: DefinitionsDep) -> Response:
    """End a trial; without one, activate the version before, or that of `digest`. Open runs stay on the version that they began with."""
    value = await body.read_json(request, limits)
    fields = {} if value is None else value
    digest = fields.get("digest", "") if isinstance(fields, dict) else None
    if not isinstance(digest, str) or (isinstance(fields, dict) and fields.keys() - {"digest"}):
        fault = Fault("digest", "the body is an object with a digest, or empty", '{"digest": "4f2a…"}')
        raise Problem(Kind.INVALID, "The body is not what this call takes.", [fault])
    version = await definitions.roll_back(name, digest, Condition.of(request.headers))
    document = {"pipeline": name, "digest": version.digest, "etag": version.etag, "active": version.active}
    return json_response(document, 200, {"ETag": f'"{version.etag}"'})


@router.delete("/pipelines/{name}/versions", summary="Forget versions that no run needs")
async def forget(
    name: str,
    connections: ConnectionsDep,
    pipelines: PipelinesDep,
    digest: Annotated[str, Query(max_length=64, description="Only this one: its beginning is enough.")] = "",
) -> Response:
    """Former versions without an open run; which. 409 when the one that is named is still needed, and for whom."""
    try:
        open_runs = await within(30.0, versions.open_runs(connections))
        forgotten = await versions.forget(connections, pipelines, name, open_runs, digest)
    except versions.NoVersion as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    except versions.StillUsed as error:
        raise Problem(Kind.CONFLICT, f"{error}.") from None
    return json_response({"pipeline": name, "forgotten": [version.digest for version in forgotten]})


@router.get("/pipelines/{name}/shadow", summary="What a version in the shadow gives, beside what callers get")
async def shadow(
    name: str,
    catalogue: CatalogueDep,
    pipelines: PipelinesDep,
    history: HistoryDep,
    digest: Annotated[str, Query(max_length=64, description="An earlier shadow; the present one if empty.")] = "",
) -> Response:
    """How many pairs are the same and different, where their outputs differ by JSON path, and the pairs that differ last."""
    version, _ = await catalogue.pipeline(name)
    known = [each.digest for each in pipelines.known(name) if digest and each.digest.startswith(digest)]
    chosen = known[0] if known else version.candidate if version.shadow and not digest else None
    if chosen is None:
        raise Problem(Kind.NOT_FOUND, f"No version of {name} runs in the shadow; PUT it with ?shadow=true.")
    results = await history.shadow(name, chosen)
    counts = {row["verdict"]: row["n"] for row in results["verdicts"]}
    compared = sum(counts.values())
    return json_response(
        {
            "pipeline": name,
            "digest": chosen,
            "against": version.digest,
            "runs": results["runs"],
            "pending": max(0, results["runs"] - compared),
            **{verdict: counts.get(verdict, 0) for verdict in ("same", "different", "incomparable")},
            "paths": [{"path": row["path"], "count": row["n"], "example": row["run"]} for row in results["paths"]],
            "last": [{**row, "differences": rendered(row["differences"])} for row in results["last"]],
        }
    )


def read_trial(canary: str | None, shadow: bool) -> Trial | None:
    """Return how a change is to be tried; None for not at all. Raises Problem (422)."""
    try:
        if canary is not None and shadow:
            raise ValueError("canary and shadow: one of the two")
        return Trial(share=percent(canary)) if canary is not None else Trial(shadow=True) if shadow else None
    except ValueError as error:
        raise Problem(
            Kind.INVALID, "Some parameters are not what this call takes.", [Fault("canary", str(error))]
        ) from None


def trial_of(version: Version) -> dict[str, Any]:
    """Describe the trial beside a version."""
    return {"digest": version.candidate, "shadow": version.shadow, "share": version.share}


def _document(known: Known, runs: dict[str, int] | None) -> dict[str, Any]:
    version = known.version
    return {
        "digest": version.digest,
        "number": version.number or None,
        "status": known.role.value,
        "share": known.share,
        "owner": version.owner.value,
        "changed_at": moment(version.at),
        "runs": None if runs is None else runs.get(version.digest, 0),
    }
