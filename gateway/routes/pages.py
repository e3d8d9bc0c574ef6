"""The page at the root: what there is, for a person."""

from html import escape
from importlib import resources

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from gateway.catalogue import catalogue
from gateway.catalogue.graph import is_automatic
from gateway.dependencies import Connected, Parts
from gateway.http.response_headers import PAGE_POLICY

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(parts: Parts = Connected) -> Response:
    """Links, and the lists of services and pipelines."""
    services = [
        _row(f"/services/{one.name}", one.name, one.summary, f"{len(parts.services.workers(one.name))} live")
        for one in parts.services.contracts().values()
    ]
    pipelines = [
        _row(f"/pipelines/{one.name}", one.name, topology.summary, f"{one.owner.value}, {one.digest[:12]}")
        for one, topology in catalogue.pipelines(parts)
        if not is_automatic(topology)
    ]
    page = resources.files("gateway").joinpath("web", "home.html").read_text(encoding="utf-8")
    page = page.replace("<!-- services -->", "".join(services) or _EMPTY.format("service is live"))
    page = page.replace("<!-- pipelines -->", "".join(pipelines) or _EMPTY.format("pipeline is defined"))
    return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})


_EMPTY = "<tr><td colspan=3>No {} yet.</td></tr>"


def _row(place: str, name: str, summary: str, more: str) -> str:
    return f'<tr><td><a href="{escape(place)}">{escape(name)}</a></td><td>{escape(summary)}</td><td>{escape(more)}</td></tr>'
