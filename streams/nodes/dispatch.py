"""The function that begins each kind of work, as a literal table."""

from collections.abc import Callable, Mapping
from typing import Any

from streams.language.topology import BranchWork, EachWork, PipelineWork, RepeatWork, ServiceWork, ValueWork
from streams.nodes import branch, each, pipeline, repeat, service, value
from streams.nodes.walking import Visit, Walker

STARTS: Mapping[type, Callable[[Walker, Visit, Any], None]] = {
    ServiceWork: service.start,
    ValueWork: value.start,
    BranchWork: branch.start,
    EachWork: each.start,
    RepeatWork: repeat.start,
    PipelineWork: pipeline.start,
}


def start(walk: Walker, visit: Visit) -> None:
    """Begin a vertex's work."""
    STARTS[type(visit.vertex.work)](walk, visit, visit.vertex.work)
