"""describe-faces: what face-analyze says of each face, and which models said it."""

from tests.pipelines.studio import Studio, area, ref, run


def test_describes_every_face() -> None:
    """Each face has its area and traits; an estimate that no model made is null."""
    output = run("describe-faces", {"photo": ref("party")}, Studio(("woman", None))).output
    assert [(face["area"], face["gender"]) for face in output["faces"]] == [(area(0), "woman"), (area(10), None)]
    assert output["faces"][0]["smile"] is True
    assert (output["model"], output["model_version"]) == ("memory", "1")


def test_a_landscape_has_no_faces() -> None:
    """A photo without faces is described by an empty list."""
    assert run("describe-faces", {"photo": ref("hills")}, Studio()).output["faces"] == []
