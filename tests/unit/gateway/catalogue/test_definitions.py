"""How many pipelines there may be."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.api.problems import Problem
from gateway.catalogue.definitions import _room
from gateway.dependencies import Parts


def parts(names: set[str], active: set[str], most: int) -> Parts:
    """An installation with these names."""
    pipelines: Any = SimpleNamespace(names=lambda: frozenset(names), active=lambda: dict.fromkeys(active))
    return cast(Parts, SimpleNamespace(pipelines=pipelines, settings=SimpleNamespace(pipeline_names=most)))


def test_names_of_pipelines_are_bounded() -> None:
    """Each keeps its topics: a new one is refused where there are enough, one that was there may come back."""
    _room(parts({"a", "b"}, {"a"}, 3), "c")
    full = parts({"a", "b"}, {"a"}, 2)
    _room(full, "b")
    with pytest.raises(Problem) as refused:
        _room(full, "c")
    assert refused.value.kind.status == 409
    assert "There are 2 names of pipelines, which is as many as may be here." in refused.value.detail
    assert "one of a removed pipeline (b)" in refused.value.detail
    assert "MILLRACE_PIPELINE_NAMES" in refused.value.detail
