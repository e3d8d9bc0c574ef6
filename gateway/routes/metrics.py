"""Metrics for Prometheus."""

from fastapi import APIRouter
from starlette.responses import Response

from gateway.dependencies import MetricsDep, RunCacheDep, StatisticsDep
from gateway.monitoring.metrics import CONTENT_TYPE

router = APIRouter(tags=["metrics"])


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(figures: MetricsDep, run_cache: RunCacheDep, statistics: StatisticsDep) -> Response:
    """Count runs in all, running, finished and failed, overall and per service and pipeline, clients, and latency."""
    figures.held.set(len(run_cache))
    figures.held_bytes.set(run_cache.size)
    return Response(figures.text(await statistics.counts()), media_type=CONTENT_TYPE)
