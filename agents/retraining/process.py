"""Run a training as a process of the training environment: follow its output, and end it when the call is cancelled."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.service import call_context
from streams.service.errors import InvalidInput, PartUnavailable, RetryLater
from streams.settings import SettingError, Settings

_TOP = Path(__file__).parents[2]
"""Of the repository: training is no part of the wheel."""

_REFUSED, _AWAY = 2, {3: "postgres", 4: "s3"}
"""Exit statuses of `python -m training`."""

_GRACE = 10.0
"""Seconds that a cancelled training may take to end its run in MLflow; then it is killed."""

_LACKING = re.compile(r"(?:ModuleNotFoundError|ImportError): .*?'([^']+)'")
"""Python's message for a missing library: the environment is incomplete."""

_OPERATOR = "the operator of this worker sees to it; send the order again then"

_LINE = 1024 * 1024
"""Largest size of an output line, in bytes."""

_leaving: set[asyncio.Task[None]] = set()


@dataclass(frozen=True)
class Trained:
    """The outcome of a training; see `training.retrain.Outcome`."""

    model: str
    version: str
    dataset: str
    registered: int
    promoted: bool
    verdict: str
    figures: Mapping[str, float]
    pictures: Mapping[str, bytes]

    @property
    def answer(self) -> dict[str, Any]:
        """The fields that the responses of all services that train have."""
        return {
            "model": self.model,
            "version": self.version,
            "dataset": self.dataset,
            "registered": self.registered,
            "promoted": self.promoted,
            "verdict": self.verdict,
        }


def usable() -> str:
    """Return why no model can be trained here; empty if one can."""
    try:
        python = _python(Settings.read())
    except SettingError as error:
        return str(error)
    if not (_TOP / "training").is_dir():
        return "models are trained from a checkout of the repository, which this is not"
    return "" if python.exists() else f"the environment for training is missing ({python}): `make trainer` makes it"


async def trained(
    part: str,
    epochs: int,
    dataset: str,
    options: Mapping[str, str],
    ordered: str = "",
    *,
    promote: bool = True,
    fewer: bool = False,
) -> Trained:
    """Train, register and judge a model, and publish each epoch as progress. `ordered`: see `streams.models.version_order`.

    `promote` lets it serve if it passes the gate, `fewer` also if it knows fewer classes than what serves.

    A call that is delivered again continues from the last epoch on the same machine, or gets the outcome. Raises InvalidInput (also
    where the environment for training is missing or incomplete: trying again in seconds makes none), RetryLater and PartUnavailable. When it
    is cancelled, the training ends.
    """
    reason = usable()
    if reason:
        raise InvalidInput(f"no model can be trained here: {reason}", _OPERATOR)
    settings = Settings.read()
    name = hashlib.sha256(call_context.key().encode()).hexdigest()[:24]
    out = settings.home.resolve() / "training" / "calls" / name
    out.mkdir(parents=True, exist_ok=True)
    asked = [*(f"--{key}={value}" for key, value in options.items()), *([f"--dataset={dataset}"] if dataset else [])]
    asked += [*([] if promote else ["--no-promote"]), *(["--fewer"] if fewer else [])]
    log = out / "log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *("nice", "-n", "19", str(_python(settings)), "-m", "training", part, "--register", "--report=json"),
            *(f"--epochs={epochs}", *asked, f"--call={name}", f"--out={out}", f"--ordered={ordered}", "--with-parent"),
            cwd=_TOP,
            env={**_environ(), **settings.environ()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=_LINE,
        )
    try:
        end = await _followed(process)
        status = await process.wait()
    except asyncio.CancelledError:
        _let_go(process)
        raise
    if end is None or status:
        raise _failure(status, log)
    return _read(end)


async def _followed(process: asyncio.subprocess.Process) -> Mapping[str, Any] | None:
    """Publish its messages as progress, and return the last one; None if it ends without."""
    assert process.stdout is not None
    async for line in process.stdout:
        message = json.loads(line)
        match message.pop("kind"):
            case "end":
                return dict(message)
            case "epoch":
                epoch, epochs = message["epoch"], message["epochs"]
                call_context.progress(f"epoch {epoch} of {epochs}", done=epoch / epochs, **message)
            case _:
                call_context.progress(message["text"])
    return None


def _let_go(process: asyncio.subprocess.Process) -> None:
    """Terminate the process in the background, so that cancelling does not wait."""

    async def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                async with asyncio.timeout(_GRACE):
                    await process.wait()
            except TimeoutError:
                process.kill()

    task = asyncio.get_running_loop().create_task(end())
    _leaving.add(task)
    task.add_done_callback(_leaving.discard)


def _failure(status: int, log: Path) -> Exception:
    lines = log.read_text(errors="replace").strip().splitlines() or [f"it ended with status {status}"]
    reason = lines[-1].removeprefix("millrace: ")
    if lacking := _LACKING.match(reason):
        return InvalidInput(
            f"no model can be trained here: the environment for training is not complete, it has no {lacking[1]}: `make trainer`"
            " makes it, or is about to",
            _OPERATOR,
        )
    if status == _REFUSED:
        where, _, rest = reason.partition(": ")
        return InvalidInput(rest or where, where=where if rest else "")
    if status in _AWAY:
        return PartUnavailable(_AWAY[status], reason)
    return RetryLater(f"the training failed: {reason}", f"{log} has all that it said")


def _read(end: Mapping[str, Any]) -> Trained:
    return Trained(
        model=end["model"],
        version=end["version"],
        dataset=end["dataset"],
        registered=int(end["registered"]),
        promoted=end["promoted"],
        verdict=end["verdict"],
        figures=end["figures"],
        pictures={name: Path(path).read_bytes() for name, path in end["pictures"].items()},
    )


def _python(settings: Settings) -> Path:
    return settings.train.absolute() / "bin" / "python"


def _environ() -> dict[str, str]:
    """Return this process's environment without the variables that select its Python libraries."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
