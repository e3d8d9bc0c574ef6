"""What is kept of an answer that a model gave: of which input it was. Pure; the recorder writes it down."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from schemas.contracts import Contract
from schemas.refs import Ref, replace
from streams.messages import Task, Value, node_end_id

KEY = "prediction"
"""What the event of a finished node calls it."""


def digest(schema: Any, record: Mapping[str, Value]) -> str:
    """The SHA-256 (64 hexadecimal digits) of the canonical text of an input of this schema."""
    return hashlib.sha256(canonical(schema, record)).hexdigest()


def canonical(schema: Any, record: Mapping[str, Value]) -> bytes:
    """An input as JSON of which there is only one form.

    Objects count by what is in them, wherever they lie: the same picture sent twice gives the same text.
    """

    def content(ref: Ref) -> dict[str, str]:
        return {"sha256": ref.sha256}

    text = json.dumps(replace(schema, record, content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def identity(task: Task) -> str:
    """The id of the prediction that a task gives: that of the event of its end, so that telling it twice changes nothing."""
    return node_end_id(task.run.id, task.vertex, task.at)


def made(contract: Contract, output: Mapping[str, Value]) -> bool:
    """Whether an output is a model's answer: services without models, and answers that none gave, are nothing to keep."""
    return contract.predicts and bool(output.get("model") and output.get("model_version"))


def about(contract: Contract, task: Task, kept: Ref | None = None) -> dict[str, Value]:
    """What the event of a prediction says beside the output. `kept`: what of the input was kept for training."""
    prediction = {"id": identity(task), "service": contract.name, "input": digest(contract.input, task.input)}
    return {KEY: {**prediction, **({"kept": kept.to_dict()} if kept else {})}}


def confidence(output: Mapping[str, Value]) -> float | None:
    """How sure the model says it is, 0 to 1; None where its output has no such field."""
    value = output.get("confidence")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else None
