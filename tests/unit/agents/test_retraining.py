"""What a service that trains says when it cannot, without training anything."""

import asyncio
from pathlib import Path

import pytest

from agents.digit_train import digit_train
from agents.retraining import process
from streams.refusal import Later, PartAway, Refused


def test_a_worker_without_the_environment_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue says what is missing and what makes it, and a call is tried again rather than refused."""
    monkeypatch.setenv("MILLRACE_TRAIN", str(tmp_path / "none"))
    assert "none/bin/python): `make trainer` makes it" in digit_train.check()
    with pytest.raises(Later, match="the environment for training is missing"):
        asyncio.run(digit_train.wait({"digits": [0, 1]}, {}))


@pytest.mark.parametrize(
    ("status", "line", "kind", "said"),
    [
        (2, "millrace: digits: 4 is one digit", Refused, "digits: 4 is one digit"),
        (3, "millrace: MLflow's database does not answer", PartAway, "postgres is away"),
        (4, "millrace: connection refused", PartAway, "s3 is away"),
        (1, "millrace: no such file", Later, "the training failed: no such file"),
        (-9, "", Later, "the training failed: it ended with status -9"),
    ],
)
def test_how_a_training_ended_decides_whose_fault_it_is(
    tmp_path: Path, status: int, line: str, kind: type[Exception], said: str
) -> None:
    """An order that makes no sense is refused, a part that is away is waited for, anything else is tried again."""
    log = tmp_path / "log"
    log.write_text(f"a warning of a library\n{line}\n" if line else "")
    found = process._failure(status, log)
    assert isinstance(found, kind)
    assert said in str(found)
