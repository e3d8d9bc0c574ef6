"""What the address of a request may say, whatever the call."""

from starlette.requests import Request

from gateway.problems import Fault, Kind, Problem


async def is_text(request: Request) -> None:
    """Refuses a NUL in the path or a parameter: no name has one, and PostgreSQL takes none. Raises Problem (404, 422)."""
    path = request.scope["path"]
    if "\0" in path:
        raise Problem(Kind.NOT_FOUND, f"{path:.200} does not exist: no name has a NUL character (%00).")
    faults = [
        Fault(f"query.{name}", "text with a NUL character (%00) in it")
        for name, value in request.query_params.multi_items()
        if "\0" in name + value
    ]
    if faults:
        raise Problem(Kind.INVALID, "Some parameters are not what this call takes.", faults)
