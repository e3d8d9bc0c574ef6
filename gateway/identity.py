"""Ids in paths that are UUIDs: what is none names nothing."""

import uuid

from gateway.problems import Kind, Problem


def known(identity: str, what: str) -> str:
    """The id as it is kept. Raises Problem (404) for what cannot be the id of a `what`."""
    try:
        return str(uuid.UUID(identity))
    except ValueError:
        raise Problem(Kind.NOT_FOUND, f"No {what} has such an id: {identity:.60}.") from None
