"""How many pipelines there may be."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.api.problems import Problem
from gateway.catalogue.definitions import check_capacity


def catalogue(names: set[str], active: set[str]) -> Any:
    """A catalogue with these names."""
    return SimpleNamespace(names=lambda: frozenset(names), active=lambda: dict.fromkeys(active))


def test_names_of_pipelines_are_bounded() -> None:
    """Each keeps its topics: a new one is refused where there are enough, one that was there may come back."""
    pipelines = catalogue({"a", "b"}, {"a"})
    check_capacity(pipelines, 3, "c")
    check_capacity(pipelines, 2, "b")
    with pytest.raises(Problem) as refused:
        check_capacity(pipelines, 2, "c")
    assert refused.value.kind.status == 409
    assert "There are 2 names of pipelines, which is as many as may be here." in refused.value.detail
    assert "one of a removed pipeline (b)" in refused.value.detail
    assert "MILLRACE_PIPELINE_NAMES" in refused.value.detail
