"""The record of a pipeline's results."""

import json
from typing import Any

import avro.schema

from schemas.encoding import binary
from schemas.library import inline
from schemas.results import result_schema

OUTPUT = {"type": "record", "name": "millrace.FaceBlurOutput", "fields": [{"name": "image", "type": "millrace.Ref"}]}


def test_both_endings_round_trip() -> None:
    """One schema says a typed output and a failure, and stands by itself for any other Avro reader."""
    schema = result_schema("face-blur", OUTPUT)
    assert avro.schema.parse(json.dumps(inline(schema))).fullname == "millrace.FaceBlurResult"  # type: ignore[attr-defined]
    ref = {"bucket": "b", "key": "k", "size": 1, "sha256": "a" * 64, "media_type": "image/png"}
    usual: dict[str, Any] = {
        "run": "r",
        "pipeline": "face-blur",
        "digest": "d",
        "output": None,
        "failure": None,
        "problems": [],
    }
    failure = {"reason": "no image", "fault": "caller", "path": "", "hint": ""}
    for ending in (
        {"status": "finished", "output": {"image": ref}},
        {"status": "failed", "failure": failure, "problems": [{"where": "photo", "problem": "is missing", "hint": ""}]},
    ):
        value = {**usual, **ending}
        assert binary.read(binary.write(schema, value), schema) == value
