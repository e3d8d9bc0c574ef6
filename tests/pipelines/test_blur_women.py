"""blur-women: only the faces of women are blurred."""

import pytest

from streams.messages import EventKind
from streams.testing.driver import STORM, Seen
from tests.pipelines.studio import Studio, ref, run


def skipped(seen: Seen) -> list[str]:
    """The paths of the nodes that were skipped."""
    return [event.path for event in seen.client_events() if event.kind is EventKind.SKIPPED]


def test_blurs_women_only() -> None:
    """The areas of women are blurred, those of others stay."""
    seen = run("blur-women", {"photo": ref("party"), "strength": 1.0}, Studio(("woman", "man", "woman")))
    assert seen.output["image"]["key"] == "party>blur[0, 20]@1.0"


@pytest.mark.parametrize("people", [(), ("man",), (None, None)], ids=["landscape", "a man", "no model"])
def test_without_women_the_photo_itself_is_the_result(people: tuple[str | None, ...]) -> None:
    """With nobody to blur, the node is skipped and no picture is made."""
    studio = Studio(people)
    seen = run("blur-women", {"photo": ref("photo")}, studio)
    assert seen.output["image"] == ref("photo")
    assert skipped(seen) == ["blur"]
    assert studio.called("image-blur") == []


def test_faces_are_looked_for_once() -> None:
    """face-analyze is told where the faces are, so that it need not find them again; also when there are none."""
    studio = Studio(())
    run("blur-women", {"photo": ref("photo")}, studio)
    assert [given["areas"] for given in studio.called("face-analyze")] == [[]]


@pytest.mark.parametrize("seed", range(20))
def test_the_same_in_any_weather(seed: int) -> None:
    """Reordering, repetition and crashes of workers change nothing of the result."""
    seen = run("blur-women", {"photo": ref("party")}, Studio(("man", "woman")), STORM, seed)
    assert seen.output["image"]["key"] == "party>blur[10]@0.8"
