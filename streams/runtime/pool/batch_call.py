"""Runs inside a pool child: one call of a service's function over many inputs, with a reply for each."""

from collections.abc import Mapping, Sequence
from typing import Any

from streams.runtime.pool.replies import Reply, ReplyKind, failure_reply
from streams.service import call_context
from streams.service.child_calls import find

BatchInput = tuple[Mapping[str, Any], Mapping[str, bytes], str]
"""The input record of a call, the bytes of its refs by their hash, and its key."""


def call_all(module: str, name: str, inputs: Sequence[BatchInput], bundle: str = "") -> list[Reply]:
    """Return a reply for each input, in order; the call has no key of its own. Raises what the function raises: then no input has a reply."""
    with call_context.known_as("", bundle):
        results = find(module, name).invoke_all([(record, objects) for record, objects, _ in inputs])
    return [
        failure_reply(result) if isinstance(result, Exception) else Reply(ReplyKind.VALUE, result) for result in results
    ]
