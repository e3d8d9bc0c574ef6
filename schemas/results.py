"""The record of `pipeline.<name>.results`: a pipeline's typed output, or why it has none."""

from collections.abc import Mapping
from typing import Any

STATUSES = ("finished", "failed", "cancelled")


def result_schema(pipeline: str, output: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a pipeline's results: `run`, `pipeline`, `digest`, `status`, `output`, `failure`, `problems`.

    One record type for every ending, since a topic has one subject. `output` is the pipeline's output record schema; it
    is null unless the run finished. `failure` (`millrace.Failure`) says why it did not; `problems` (`millrace.Problem`)
    say what was wrong with a request that does not conform to the pipeline's input.
    """
    words = "".join(word.capitalize() for word in pipeline.replace("_", "-").split("-"))
    return {
        "type": "record",
        "name": f"millrace.{words}Result",
        "doc": f"How a run of {pipeline} ended.",
        "fields": [
            {"name": "run", "type": "string", "doc": "The run's id."},
            {"name": "pipeline", "type": "string", "doc": "The pipeline's name."},
            {"name": "digest", "type": "string", "doc": "The digest of the topology that it ran on.", "default": ""},
            {"name": "status", "type": "string", "doc": "How it ended.", "enum": list(STATUSES)},
            {"name": "output", "type": ["null", output], "doc": "The pipeline's output.", "default": None},
            {
                "name": "failure",
                "type": ["null", "millrace.Failure"],
                "doc": "Why there is no output.",
                "default": None,
            },
            {
                "name": "problems",
                "type": {"type": "array", "items": "millrace.Problem"},
                "doc": "What was wrong with the request.",
                "default": [],
            },
        ],
    }
