"""What all parts of the training share, without any of its libraries."""

import hashlib
import io
import json
from importlib import import_module
from pathlib import Path

import pytest

from training.part import REPOSITORY, Part
from training.parts import PARTS
from training.registry import bundle
from training.report import Report


def test_a_bundle_is_named_by_its_files(tmp_path: Path) -> None:
    """The card has every file's hash and the version, which other metrics do not change and other files do."""
    (tmp_path / "network.onnx").write_bytes(b"weights")
    card = {"name": "tiny", "dataset": "mnist@fa6749934515", "licence": "Apache-2.0", "metrics": {}}
    written = bundle.write(tmp_path, card)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert written["files"] == {"network.onnx": sha256}
    assert written["version"] == sha256[:12]
    again = bundle.write(tmp_path, {**written, "metrics": {"accuracy": 0.9}})
    assert again["version"] == written["version"]
    assert json.loads((tmp_path / "card.json").read_text()) == again
    (tmp_path / "labels.txt").write_text("a b")
    assert bundle.write(tmp_path, card)["version"] not in (written["version"], "")


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_the_page_of_a_shipped_model_is_that_of_its_card(part: Part) -> None:
    """What people read and what programs read has the same figures."""
    card = json.loads((REPOSITORY / part.shipped / "card.json").read_text(encoding="utf-8"))
    page = (REPOSITORY / part.page).read_text(encoding="utf-8")
    assert page == import_module(f"training.{part.name}.card").markdown(card)


def test_programs_hear_each_epoch_as_a_line() -> None:
    """Each line is one JSON object with its kind; whoever listens in the process hears the same figures."""
    out = io.StringIO()
    report = Report("digits", programs=True, to=out)
    heard: list[tuple[int, dict[str, float]]] = []
    report.heard = lambda epoch, figures: heard.append((epoch, figures))
    report.say("begins")
    report.epoch(1, 2, loss=0.5, validation=0.9)
    report.end("done", version="abc")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines == [
        {"kind": "text", "text": "begins"},
        {"kind": "epoch", "epoch": 1, "epochs": 2, "loss": 0.5, "validation": 0.9},
        {"kind": "end", "text": "done", "version": "abc"},
    ]
    assert heard == [(1, {"loss": 0.5, "validation": 0.9})]


def test_people_read_lines() -> None:
    """The same as text, each line with the part's name."""
    out = io.StringIO()
    Report("digits", to=out).epoch(1, 2, loss=0.54321, validation=0.9)
    assert out.getvalue() == "digits: epoch 1 of 2: loss 0.5432, validation 0.9\n"
