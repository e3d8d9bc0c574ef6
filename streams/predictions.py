"""What is kept of an answer that a model gave: of which input it was. Pure; the recorder writes it down."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from schemas.contracts import Contract
from schemas.refs import Ref, replace
from streams.messages import Task, Value, message_id

KEY = "prediction"
"""What the event of a finished node calls it."""


def digest(schema: Any, record: Mapping[str, Value]) -> str:
    """The SHA-256 (64 hexadecimal digits) of an input of this schema.

    Objects count by what is in them, wherever they lie: the same picture sent twice gives the same digest.
    """

    def content(ref: Ref) -> dict[str, str]:
        return {"sha256": ref.sha256}

    text = json.dumps(replace(schema, record, content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def identity(task: Task) -> str:
    """The id of the prediction that a task gives: that of the event of its end, so that telling it twice changes nothing."""
    return message_id(task.run.id, "node.ended", task.vertex, task.at)


def about(contract: Contract, task: Task, output: Mapping[str, Value]) -> dict[str, Value]:
    """What the event of an answer's end says beside it; nothing for services without models, whose events stay as small."""
    if not (contract.predicts and output.get("model") and output.get("model_version")):
        return {}
    return {KEY: {"id": identity(task), "service": contract.name, "input": digest(contract.input, task.input)}}


def confidence(output: Mapping[str, Value]) -> float | None:
    """How sure the model says it is, 0 to 1; None where its output has no such field."""
    found = output.get("confidence")
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 1 else None
