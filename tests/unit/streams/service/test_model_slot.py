"""Slots: which bundle a call gets, and how often it is loaded."""

from pathlib import Path

from streams.service import call_context
from streams.service.model_slot import Slot


def test_a_call_gets_the_bundle_that_came_with_it() -> None:
    """Outside a run the shipped one, in a call that named another that one; each is loaded once while it is among the last two."""
    loads: list[str] = []

    def load(folder: Path) -> str:
        loads.append(folder.name)
        return folder.name

    slot = Slot(Path("shipped"), load)
    assert [slot.loaded(), slot.loaded()] == ["shipped", "shipped"]
    with call_context.known_as("key", "cache/new"):
        assert [slot.loaded(), slot.loaded()] == ["new", "new"]
    assert slot.loaded() == "shipped"
    assert loads == ["shipped", "new"]
    with call_context.known_as("key", "cache/newest"):
        assert slot.loaded() == "newest"
    with call_context.known_as("key", "cache/new"):
        assert slot.loaded() == "new"
    assert loads == ["shipped", "new", "newest", "new"]


def test_a_slot_without_its_bundle_says_so(tmp_path: Path) -> None:
    """The catalogue is told what is missing, in the service's name, and what makes it."""
    status = Slot(tmp_path, str).status("digit-recognition")
    assert (status.name, status.ready) == ("digit-recognition", False)
    assert "card cannot be read" in status.detail
    assert "make train" in status.detail
