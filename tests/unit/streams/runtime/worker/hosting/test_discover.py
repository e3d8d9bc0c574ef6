"""What services modules say of themselves, asked in a process of its own."""

import asyncio

import pytest

from streams.runtime.worker.hosting.discover import BadModule, discover
from streams.service.model_status import ModelStatus, ModelSummary, summarise
from tests.unit.streams.runtime import sighted


def test_every_model_is_told() -> None:
    """All models in use are named, not only the first, and what is missing is said beside them."""
    (found,) = asyncio.run(discover([sighted.__name__]))
    assert found.name == "sighted"
    assert summarise(found.models) == ModelSummary("left+right", "1+2", "glasses: sees less without")
    assert not found.slot


def test_a_model_in_use_may_have_something_wrong_beside_it() -> None:
    """Why another model is not the one in use is told, and the one in use still named."""
    said = summarise([ModelStatus("eye", "1", ready=True, detail="2 cannot serve")])
    assert said == ModelSummary("eye", "1", "eye: 2 cannot serve")


def test_a_missing_model_that_says_nothing() -> None:
    """Somebody who reads the catalogue still learns what is the matter."""
    assert summarise([ModelStatus("eye", "1", ready=False)]).problem == "eye: its weights are missing"


def test_a_module_without_services() -> None:
    """It is refused by name."""
    with pytest.raises(BadModule, match=r"streams\.settings defines no service"):
        asyncio.run(discover(["streams.settings"]))
