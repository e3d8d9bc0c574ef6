"""The demonstration of `make run`: send a real photo through `face-blur` and print the events."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infra.local.progress import say
from streams.settings import Settings

PIPELINE = "face-blur"


def photo() -> Path | None:
    """Return the file of NASA's public-domain portrait of an astronaut in scikit-image's wheel; None without it."""
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return None
    file = Path(spec.submodule_search_locations[0]) / "data" / "astronaut.png"
    return file if file.exists() else None


def run(settings: Settings, key: str) -> None:
    """Send the photo, print each event as it comes, then the link to the result. A failure is printed, never raised."""
    picture = photo()
    if picture is None:
        say("no demonstration: scikit-image, which brings its photo, is not installed (`uv sync` installs it)")
        return
    command = [
        sys.executable,
        "-m",
        "streams.cli",
        "run",
        PIPELINE,
        "-i",
        f"photo=@{picture}",
        "--follow",
        "--output",
        "json",
    ]
    say(f"millrace run {PIPELINE} -i {shlex.quote(f'photo=@{picture}')} --follow")
    begin = time.monotonic()
    with subprocess.Popen(
        command, env={**os.environ, **settings.environ()}, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            links = [link for line in child.stdout for link in _tell(line, begin)]
        except BaseException:  # interrupted: the command would go on waiting for events
            child.terminate()
            raise
    if child.returncode or not links:
        say(
            f"the demonstration failed (status {child.returncode}); everything still serves, see the logs in {settings.home / 'logs'}"
        )
        return
    for link in dict.fromkeys(links):
        say(f"result: http://{settings.http_host}:{settings.http_port}{link}?key={key}")


def _tell(line: str, begin: float) -> list[str]:
    """Print one event; return the links of the run's output if it was the last event."""
    try:
        event = json.loads(line)
    except ValueError:
        say(line.rstrip())
        return []
    name, path, service = (event.get(field) or "" for field in ("event", "path", "service"))
    where = path if service in ("", path) else f"{path} ({service})"
    say(f"{time.monotonic() - begin:6.2f} s  {name:<13} {where}".rstrip())
    return list(_links(event.get("output"))) if name == "run.finished" else []


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("href"), str):
            yield value["href"]
        for inner in value.values():
            yield from _links(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _links(inner)
