"""Ids in paths that are UUIDs: what is none names nothing."""

import uuid
from typing import Annotated

from pydantic import AfterValidator

from gateway.api.problems import Kind, Problem
from streams.messages import run_id


def known(identity: str, what: str) -> str:
    """The id as it is kept. Raises Problem (404) for what cannot be the id of a `what`."""
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
"""A run's id as a caller writes it, in capitals perhaps, in the form in which it is kept. What is no id is that of no run."""
