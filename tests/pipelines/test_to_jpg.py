"""to-jpg: a picture of any format as JPEG."""

from tests.pipelines.studio import Studio, ref, run


def test_makes_a_jpeg() -> None:
    """The picture is converted to jpeg, with the quality that was asked for."""
    seen = run("to-jpg", {"photo": ref("drawing", "image/png"), "quality": 70}, Studio())
    assert seen.output["image"]["key"] == "drawing>jpeg70"


def test_the_quality_may_be_left_away() -> None:
    """Without a quality the service decides: a JPEG is not encoded anew."""
    assert run("to-jpg", {"photo": ref("drawing")}, Studio()).output["image"]["key"] == "drawing>jpeg0"
