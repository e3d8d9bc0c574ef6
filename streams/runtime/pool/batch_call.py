"""What runs inside a pool child for a service's function over many: one call for several inputs, an end for each."""

from collections.abc import Mapping, Sequence
from typing import Any

from streams.runtime.pool.replies import Reply, ReplyKind, failure_reply
from streams.service import call_context
from streams.service.child_calls import find

Given = tuple[Mapping[str, Any], Mapping[str, bytes], str]
"""The input record of a call, the bytes of its refs by their hash, and its key."""


def call_all(module: str, name: str, given: Sequence[Given], bundle: str = "") -> list[Reply]:
    """How each input fared, in order; `calls.key` is no call's own here. Raises what the function raises: then nothing is known of any."""
    with call_context.known_as("", bundle):
        found = find(module, name).invoke_all([(record, objects) for record, objects, _ in given])
    return [failure_reply(one) if isinstance(one, Exception) else Reply(ReplyKind.VALUE, one) for one in found]
