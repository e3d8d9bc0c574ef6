"""The page at the root, for people: the services and pipelines, with links."""

from html import escape
from importlib import resources

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from gateway.catalogue.graph import is_automatic
from gateway.dependencies import CatalogueDep
from gateway.http.response_headers import PAGE_POLICY

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(catalogue: CatalogueDep) -> Response:
    """Return the page with the lists of services and pipelines."""
    services = [
        _row(f"/services/{name}", name, contract.summary, f"{len(catalogue.workers(name))} live")
        for name, contract in catalogue.live_contracts().items()
    ]
    pipelines = [
        _row(
            f"/pipelines/{version.name}",
            version.name,
            topology.summary,
            f"{version.owner.value}, {version.digest[:12]}",
        )
        for version, topology in catalogue.active()
        if not is_automatic(topology)
    ]
    page = resources.files("gateway").joinpath("web", "home.html").read_text(encoding="utf-8")
    page = page.replace("<!-- services -->", "".join(services) or _EMPTY.format("service is live"))
    page = page.replace("<!-- pipelines -->", "".join(pipelines) or _EMPTY.format("pipeline is defined"))
    return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})


_EMPTY = "<tr><td colspan=3>No {} yet.</td></tr>"


def _row(place: str, name: str, summary: str, more: str) -> str:
    return f'<tr><td><a href="{escape(place)}">{escape(name)}</a></td><td>{escape(summary)}</td><td>{escape(more)}</td></tr>'
