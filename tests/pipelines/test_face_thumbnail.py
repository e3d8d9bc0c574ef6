"""face-thumbnail: each face is cut out and scaled, in the order of the faces."""

import pytest

from streams.testing.driver import STORM
from tests.pipelines.studio import Studio, ref, run


def test_one_square_thumbnail_a_face() -> None:
    """Every face is cropped alone, then scaled to the size that was asked for, covering all of the square."""
    seen = run("face-thumbnail", {"photo": ref("party"), "size": 64}, Studio(("woman", None)))
    assert [one["key"] for one in seen.output["thumbnails"]] == ["party>crop0>64x64-cover", "party>crop10>64x64-cover"]


def test_a_landscape_gives_none() -> None:
    """Without faces the list is empty, and neither service is called."""
    studio = Studio()
    seen = run("face-thumbnail", {"photo": ref("hills")}, studio)
    assert seen.output == {"thumbnails": []}
    assert [name for name, _ in studio.calls] == ["face-detect"]


@pytest.mark.parametrize("seed", range(10))
def test_the_order_is_that_of_the_faces(seed: int) -> None:
    """However the items of the loop end, the thumbnails stand in the order of the faces."""
    seen = run("face-thumbnail", {"photo": ref("party")}, Studio((None,) * 29), STORM, seed)
    assert [one["key"] for one in seen.output["thumbnails"]] == [f"party>crop{10 * n}>128x128-cover" for n in range(29)]
