"""The figures for Prometheus."""

from fastapi import APIRouter
from starlette.responses import Response

from gateway.dependencies import Parts, Shared
from gateway.monitoring.metrics import CONTENT_TYPE

router = APIRouter(tags=["metrics"])


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(parts: Parts = Shared) -> Response:
    """Runs in all, running, finished and failed, overall and per service and pipeline; clients; latency."""
    parts.metrics.held.set(len(parts.index))
    parts.metrics.held_bytes.set(parts.index.size)
    return Response(parts.metrics.text(await parts.counts()), media_type=CONTENT_TYPE)
