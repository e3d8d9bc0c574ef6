"""What a service that trains says when it cannot, without training anything."""

import asyncio
import venv
from pathlib import Path

import pytest

from agents.retraining import process
from agents.services.digit_train import digit_train
from streams.service.errors import InvalidInput, PartUnavailable, RetryLater


def test_a_worker_without_the_environment_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue says what is missing and what makes it, and a call is refused once: no second attempt would find it made."""
    monkeypatch.setenv("MILLRACE_TRAIN", str(tmp_path / "none"))
    assert "none/bin/python): `make trainer` makes it" in digit_train.check()
    with pytest.raises(InvalidInput, match="the environment for training is missing"):
        asyncio.run(digit_train.wait({"digits": [0, 1]}, {}))


@pytest.mark.parametrize("library", ["", "pass\n"], ids=["before the first library", "before the last ones"])
def test_an_environment_that_is_still_being_made_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """A real Python without the libraries, as while `make trainer` installs: one refusal that says what is missing."""
    venv.create(tmp_path / "train", with_pip=False)
    if library:  # the first library is there, and what it needs is not
        (site,) = (tmp_path / "train" / "lib").glob("python*/site-packages")
        (site / "httpx.py").write_text(library)
    monkeypatch.setenv("MILLRACE_TRAIN", str(tmp_path / "train"))
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path / "home"))
    assert digit_train.check() == ""
    with pytest.raises(InvalidInput, match=r"not complete, it has no \w+: `make trainer` makes it"):
        asyncio.run(digit_train.wait({"digits": [0, 1]}, {}))


@pytest.mark.parametrize(
    ("status", "line", "kind", "said"),
    [
        (2, "millrace: digits: 4 is one digit", InvalidInput, "digits: 4 is one digit"),
        (3, "millrace: MLflow's database does not answer", PartUnavailable, "postgres is unavailable"),
        (4, "millrace: connection refused", PartUnavailable, "s3 is unavailable"),
        (1, "millrace: no such file", RetryLater, "the training failed: no such file"),
        (-9, "", RetryLater, "the training failed: it ended with status -9"),
    ],
)
def test_how_a_training_ended_decides_whose_fault_it_is(
    tmp_path: Path, status: int, line: str, kind: type[Exception], said: str
) -> None:
    """An order that makes no sense is refused, a part that is away is waited for, anything else is tried again."""
    log = tmp_path / "log"
    log.write_text(f"a warning of a library\n{line}\n" if line else "")
    error = process._failure(status, log)
    assert isinstance(error, kind)
    assert said in str(error)
