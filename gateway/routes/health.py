"""Health: whether this gateway is running, and whether it can serve."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from gateway.dependencies import HealthDep

router = APIRouter(tags=["health"])


@router.get("/health/live", summary="Whether the process lives", openapi_extra={"security": []})
async def live() -> Response:
    """Answers as long as the event loop does."""
    return JSONResponse({"status": "live"})


@router.get("/health/ready", summary="Whether calls can be served", openapi_extra={"security": []})
async def ready(health: HealthDep) -> Response:
    """200, or 503 with what is missing. The parts are asked every few seconds, not once more for each who asks here."""
    missing = health.missing()
    if missing:
        return JSONResponse({"status": "not ready", "missing": missing}, 503, {"Retry-After": "2"})
    return JSONResponse({"status": "ready"})
