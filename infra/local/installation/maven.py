"""Fetch the parts with Maven and report the progress."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from infra.local.errors import InstallError, MissingTool
from infra.local.installation import java
from infra.local.processes import process
from infra.local.progress import say

_EVERY_SECONDS = 3.0
_DOWNLOADED = re.compile(r"Downloaded from .*\((\d+(?:\.\d+)?) ([kM]?B)")
_UNITS = {"B": 1e-6, "kB": 1e-3, "MB": 1.0}


def fetch(pom: Path, into: Path, platform: str, log: Path) -> None:
    """Download the artifacts that `pom` names into `into`. Raises MissingTool without Maven, and InstallError if it fails."""
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingTool(
            "Maven is needed once, to fetch Kafka, the schema registry, S3Proxy and PostgreSQL: "
            "`apt-get install maven` (Debian, Ubuntu), `dnf install maven` (Fedora) or `brew install maven` (macOS)"
        )
    environ = dict(os.environ)
    if shutil.which("java") is None:
        environ.setdefault("JAVA_HOME", str(java.home()))
    say("fetching Kafka, the schema registry, S3Proxy and PostgreSQL (about 300 MB, once per machine)")
    command = [
        *process.with_us(signal.SIGTERM),
        maven,
        "-B",
        "-C",  # a wrong checksum is an error, also for Maven's own plugins
        "-f",
        str(pom),
        "process-resources",
        f"-Dparts.dir={into}",
        f"-Dpostgres.platform={platform}",
    ]
    with (
        log.open("w") as record,
        subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as child,
    ):
        assert child.stdout is not None
        try:
            _follow(child.stdout, record)
        except BaseException:  # interrupted: Maven would go on writing where the next install writes
            child.terminate()
            raise
    if child.returncode:
        raise InstallError(
            f"Maven could not fetch the parts (status {child.returncode}): {_reason(log)}; all of it is in {log}"
        )


def _follow(lines: Iterable[str], record: TextIO) -> None:
    files, megabytes, reported = 0, 0.0, time.monotonic()
    for line in lines:
        record.write(line)
        if match := _DOWNLOADED.search(line):
            files, megabytes = files + 1, megabytes + float(match[1]) * _UNITS[match[2]]
        if files and time.monotonic() - reported > _EVERY_SECONDS:
            reported = time.monotonic()
            say(f"fetched {files} files, {megabytes:.0f} MB")


def _reason(log: Path) -> str:
    errors = [line for line in log.read_text().splitlines() if line.startswith("[ERROR]")]
    return errors[0].removeprefix("[ERROR] ") if errors else "no error was printed"
