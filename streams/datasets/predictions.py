"""Predictions: what the recorder stores of a model's answer and its input. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from schemas.contracts import Contract
from schemas.refs import Ref, replace
from streams.messages import Task, Value, node_end_id

KEY = "prediction"
"""Key of a prediction in the event of a finished node."""


def digest(schema: Any, record: Mapping[str, Value]) -> str:
    """Return the SHA-256 (64 hexadecimal digits) of the canonical text of an input of this schema."""
    return hashlib.sha256(canonical(schema, record)).hexdigest()


def canonical(schema: Any, record: Mapping[str, Value]) -> bytes:
    """Write an input as canonical JSON.

    Objects are identified by content, not by key, so that the same picture sent twice gives the same text.
    """

    def content(ref: Ref) -> dict[str, str]:
        return {"sha256": ref.sha256}

    text = json.dumps(replace(schema, record, content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def identity(task: Task) -> str:
    """Return the id of a task's prediction: that of its end event, so that storing it twice changes nothing."""
    return node_end_id(task.run.id, task.vertex, task.at)


def is_prediction(contract: Contract, output: Mapping[str, Value]) -> bool:
    """Return whether an output is a model's answer, which is stored."""
    return contract.predicts and bool(output.get("model") and output.get("model_version"))


def about(contract: Contract, task: Task, kept: Ref | None = None) -> dict[str, Value]:
    """Describe a prediction for its event, beside the output. `kept` is the part of the input that is stored for training."""
    prediction = {"id": identity(task), "service": contract.name, "input": digest(contract.input, task.input)}
    return {KEY: {**prediction, **({"kept": kept.to_dict()} if kept else {})}}


def confidence(output: Mapping[str, Value]) -> float | None:
    """Return the model's confidence, 0 to 1; None if its output has no such field."""
    value = output.get("confidence")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else None
