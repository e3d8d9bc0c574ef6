"""face-blur: every face of a photo is blurred."""

from streams.messages import EventKind
from tests.pipelines.studio import Studio, ref, run


def test_blurs_every_face() -> None:
    """All faces that were found are blurred in one picture, with the strength that was asked for."""
    seen = run("face-blur", {"photo": ref("party"), "strength": 0.5}, Studio(("woman", "man", None)))
    assert seen.output["image"]["key"] == "party>blur[0, 10, 20]@0.5"


def test_a_landscape_comes_back_whole() -> None:
    """A photo without faces goes through image-blur too, which drops its metadata, with nothing to blur."""
    studio = Studio()
    seen = run("face-blur", {"photo": ref("hills")}, studio)
    assert seen.output["image"]["key"] == "hills>blur[]@0.8"
    assert not [event for event in seen.client_events() if event.kind is EventKind.SKIPPED]
