"""Ids in paths that are UUIDs: any other text names nothing, and is a 404."""

import uuid
from typing import Annotated

from pydantic import AfterValidator

from gateway.api.problems import Kind, Problem
from streams.messages import run_id


def known(identity: str, what: str) -> str:
    """Return an id in its stored form. Raises Problem (404) for a text that cannot be the id of a `what`."""
    try:
        return str(uuid.UUID(identity))
    except ValueError:
        raise Problem(Kind.NOT_FOUND, f"No {what} has such an id: {identity:.60}.") from None


def _as_kept(run: str) -> str:
    try:
        return run_id(run)
    except ValueError:
        return run


RunId = Annotated[str, AfterValidator(_as_kept)]
"""A run's id in its stored form; callers may write it in capitals. A text that is not an id names no run."""
