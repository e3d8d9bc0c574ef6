"""What a model said, from the picture to the person who corrects it, with the command line and over HTTP."""

import asyncio

from streams.runtime.store import Store
from tests.acceptance.command import millrace
from tests.acceptance.system import System
from tests.acceptance.test_http_digits import sheet
from tests.integration.eventually import eventually


def test_a_person_corrects_what_a_model_said(system: System) -> None:
    """A digit that was read is a prediction, whose id its event shows; it is listed, corrected, and says so."""
    home = system.stack.home
    run = system.submit("digit-recognition", files={"image": ("eight.png", sheet("8"))})
    (told,) = [one.data for one in system.follow(run) if one.name == "node.finished"]

    def listed() -> list[dict[str, object]]:
        return millrace("predictions", "list", "--run", run, "--output", "json", home=home).rows

    eventually(listed, 30)
    (one,) = listed()
    assert one["id"] == told["prediction"]["id"]
    assert (one["label"], one["model_version"]) == (told["output"]["digit"], told["output"]["model_version"])
    identity = str(one["id"])
    (corrected,) = millrace("predictions", "correct", identity, "3", "--output", "json", home=home).rows
    assert corrected["correction"]["label"] == 3
    assert "8 → 3 by local" in millrace("predictions", "show", identity, home=home).out
    refused = millrace("predictions", "correct", identity, "eight", home=home)
    assert refused.status != 0
    assert "from 0 to 9" in refused.err


def test_a_kept_picture_outlives_its_run(system: System) -> None:
    """The picture that was read is kept as it was sent, and is there when everything of its run is gone."""
    picture = sheet("4")
    runs = [system.submit("digit-recognition", files={"image": ("four.png", picture)}) for _ in range(2)]
    told = [one.data for run in runs for one in system.follow(run) if one.name == "node.finished"]
    first, second = (one["prediction"]["kept"] for one in told)
    assert first == second, "the same picture is kept once"
    assert first["ref"]["key"].startswith("datasets/")

    async def clean() -> None:
        store = Store(system.settings)
        for run in runs:
            await store.delete(await store.list(f"runs/{run}"))
        store.close()

    asyncio.run(clean())
    answer = system.object(first)
    assert (answer.content, answer.headers["content-type"]) == (picture, "image/png")


def test_the_same_picture_has_the_same_input(system: System) -> None:
    """Two runs on one picture give two predictions of one input."""
    runs = [system.submit("digit-recognition", files={"image": ("five.png", sheet("5"))}) for _ in range(2)]
    told = [one.data for run in runs for one in system.follow(run) if one.name == "node.finished"]
    assert len({one["prediction"]["id"] for one in told}) == 2
    assert len({one["prediction"]["input"] for one in told}) == 1
