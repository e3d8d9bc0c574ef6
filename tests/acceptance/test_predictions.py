"""What a model said, from the picture to the person who corrects it, with the command line and over HTTP."""

import asyncio
import csv
import gzip
import os
import tarfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from streams.datasets.manifest import of_catalogue
from streams.runtime.storage.store import Store
from tests.acceptance.command import millrace
from tests.acceptance.system import System
from tests.acceptance.test_http_digits import sheet
from tests.integration.support.eventually import eventually


def prediction_of(system: System, picture: bytes) -> str:
    """The id of the prediction that reading a picture makes, once it is listed."""
    run = system.submit("digit-recognition", files={"image": ("digit.png", picture)})
    (received,) = [one.data for one in system.follow(run) if one.name == "node.finished"]
    identity: str = received["prediction"]["id"]
    listed_by(system, identity)
    return identity


def listed_by(system: System, identity: str) -> None:
    """Waits until a prediction can be shown."""
    eventually(lambda: millrace("predictions", "show", identity, home=system.stack.home).status == 0, 30)


def test_a_person_corrects_what_a_model_said(system: System) -> None:
    """A digit that was read is a prediction, whose id its event shows; it is listed, corrected, and says so."""
    home = system.stack.home
    run = system.submit("digit-recognition", files={"image": ("eight.png", sheet("8"))})
    (received,) = [one.data for one in system.follow(run) if one.name == "node.finished"]

    def listed() -> list[dict[str, object]]:
        return millrace("predictions", "list", "--run", run, "--output", "json", home=home).rows

    eventually(listed, 30)
    (one,) = listed()
    assert one["id"] == received["prediction"]["id"]
    assert (one["label"], one["model_version"]) == (received["output"]["digit"], received["output"]["model_version"])
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
    received = [one.data for run in runs for one in system.follow(run) if one.name == "node.finished"]
    first, second = (one["prediction"]["kept"] for one in received)
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


@pytest.mark.data
def test_corrections_make_the_next_dataset_version(system: System) -> None:
    """Corrected pictures and the published data are a version, the same one each time; a test picture gets into none."""
    folder = os.environ.get("MILLRACE_DATA")
    if folder is None:
        pytest.skip("needs the public data: run `millrace data fetch` and set MILLRACE_DATA to its directory")
    home = system.stack.home
    with gzip.open(Path(folder) / "mnist/t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)[:2]
    tests = []
    for one in (pixels[0], 255 - pixels[1]):
        out = BytesIO()
        Image.fromarray(one).save(out, "PNG")
        tests.append(out.getvalue())
    corrected = [prediction_of(system, picture) for picture in (sheet("6"), sheet("9"), *tests)]
    for identity in corrected:
        assert millrace("predictions", "correct", identity, "1", home=home).status == 0

    def made() -> dict[str, Any]:
        said = millrace("data", "corrections", "digit-recognition", "--output", "json", home=home)
        assert said.status == 0, said.err
        (row,) = said.rows
        return row

    first = made()
    assert first["base"] == of_catalogue("mnist").label
    assert first["added"] >= 2
    assert first["left_out"]["its input is a test picture of the dataset"] == 2
    names = {one["name"] for one in first["files"]}
    for picture in (sheet("6"), sheet("9")):
        assert f"mnist/corrections/1/{sha256(picture).hexdigest()}" in names
    assert not names & {f"mnist/corrections/1/{sha256(one).hexdigest()}" for one in tests}
    assert made()["version"] == first["version"]
    assert first["dataset"] in millrace("data", "versions", "mnist", home=home).out
    assert millrace("predictions", "correct", corrected[-1], "2", home=home).status == 0
    assert made()["version"] == first["version"], "what is left out changes nothing"


@pytest.mark.data
def test_a_cell_cut_from_a_test_picture_is_not_learned_from(system: System) -> None:
    """A cell out of a test picture is left out, though the cell itself is in no data; one out of a training picture is added."""
    folder = os.environ.get("MILLRACE_DATA")
    if folder is None:
        pytest.skip("needs the public data: run `millrace data fetch` and set MILLRACE_DATA to its directory")
    home, place = system.stack.home, Path(folder) / "blood-cells/bccd"
    labels = list(csv.DictReader((place / "labels.csv").read_text().splitlines()))
    identity = ""
    with tarfile.open(place / "images.tar") as tar:
        for side in ("train", "test"):
            name = next(one["filename"] for one in labels if one["split"] == side)
            file = tar.extractfile(name)
            assert file is not None
            run = system.submit("classify-cell", files={"image": (name, file.read())})
            received = [one.data for one in system.follow(run) if one.name == "node.finished"]
            made = [one["prediction"] for one in received if "prediction" in one]
            (identity,) = [one["id"] for one in made if one["service"] == "cell-classify"]
            listed_by(system, identity)
            assert millrace("predictions", "correct", identity, "monocyte", home=home).status == 0
    refused = millrace("predictions", "correct", identity, "basophil", home=home)
    assert "neutrophil" in refused.err, "it says which there are"
    (version,) = millrace("data", "corrections", "cell-classify", "--output", "json", home=home).rows
    assert version["added"] == 1
    assert version["left_out"] == {"its input was made of a test picture of the dataset": 1}
    assert [one["name"] for one in version["files"] if "/corrections/monocyte/" in one["name"]]


def test_a_service_that_learns_from_nothing_has_no_versions(system: System) -> None:
    """Corrections of a service without a label, or of none at all, are refused with its name."""
    home = system.stack.home
    assert "image-blur" in millrace("data", "corrections", "image-blur", home=home).err
    assert millrace("data", "corrections", "nobody", home=home).status == 14


def test_the_same_picture_has_the_same_input(system: System) -> None:
    """Two runs on one picture give two predictions of one input."""
    runs = [system.submit("digit-recognition", files={"image": ("five.png", sheet("5"))}) for _ in range(2)]
    received = [one.data for run in runs for one in system.follow(run) if one.name == "node.finished"]
    assert len({one["prediction"]["id"] for one in received}) == 2
    assert len({one["prediction"]["input"] for one in received}) == 1


def test_drift_is_shown_for_what_was_read(system: System) -> None:
    """Within a minute of a reading the features of the shipped card are measured; of a few values it is said that they are few."""
    home = system.stack.home
    prediction_of(system, sheet("2"))

    def rows() -> list[dict[str, Any]]:
        return millrace("predictions", "drift", "--service", "digit-recognition", "--output", "json", home=home).rows

    eventually(rows, 90)
    assert {one["feature"] for one in rows()} == {"output.ink", "output.confidence", "output.digit"}
    assert {one["level"] for one in rows()} <= {"too few", "drifted"}
    assert "output.ink" in millrace("predictions", "drift", home=home).out
    with system.http as http:
        eventually(lambda: "millrace_model_drift{" in http.get("/metrics").text, 30)


def test_receivers_of_notices_are_listed(system: System) -> None:
    """Where the operator keeps no list nobody is told, and the command says where to begin; an unknown notice is an error."""
    listed = millrace("notices", "list", home=system.stack.home)
    assert (listed.status, listed.out) == (0, "")
    assert "MILLRACE_NOTIFY" in listed.err
    assert millrace("notices", "resend", "nothing", home=system.stack.home).status == 14
