"""What the user's shell has for other work changes nothing: the stack starts, and the commands reach it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.local.running import RunningStack
from tests.integration.support.eventually import eventually

PARTS = "kafka,registry,s3,postgres"
_SHELL = {
    "PGSSLMODE": "require",
    "PGSERVICE": "work",
    "PGHOSTADDR": "192.0.2.1",
    "PGDATESTYLE": "German",
    "PGOPTIONS": "-c search_path=nowhere",
    "PGDATA": "/nonexistent",
    "AWS_SESSION_TOKEN": "of-other-work",
    "AWS_PROFILE": "work",
    "AWS_ENDPOINT_URL": "http://192.0.2.1",
    "AWS_CA_BUNDLE": "/nonexistent",
    "SSL_CERT_FILE": "/nonexistent",
    "JAVA_TOOL_OPTIONS": "-Xms2g -XX:+NoSuchFlag",
    "JDK_JAVA_OPTIONS": "-XX:+NoSuchFlag",
    "QUARKUS_HTTP_PORT": "1",
    "APICURIO_STORAGE_KIND": "kafkasql",
    "KAFKA_OPTS": "-Dnothing",
    "CLASSPATH": "/nonexistent",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
}


@pytest.fixture(scope="module")
def shell() -> Iterator[Mapping[str, str]]:
    """A shell with much of other work in it, in which a stack was started."""
    home = Path(tempfile.mkdtemp(prefix="millrace-shell-"))
    shell = {**os.environ, **_SHELL, "MILLRACE_HOME": str(home)}
    command = [sys.executable, "-m", "infra.local", "up", "--parts", PARTS, "--with-parent"]
    log = home.with_suffix(".log")
    try:
        with log.open("w") as out, subprocess.Popen(command, env=shell, stderr=out) as launcher:
            running = RunningStack(home)
            eventually(lambda: "all parts are up" in log.read_text() or launcher.poll() is not None, 120)
            assert launcher.poll() is None, log.read_text()
            assert running.state.ready
            yield shell
            launcher.send_signal(signal.SIGTERM)
            assert launcher.wait(60) == 0
    finally:
        shutil.rmtree(home, ignore_errors=True)
        log.unlink(missing_ok=True)


def says(shell: Mapping[str, str], *arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "streams.cli", *arguments]
    done = subprocess.run(command, env=shell, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "--yes"),  # Kafka and the registry
        ("data", "versions", "mnist"),  # S3
        ("indicators", "set", "2010-05", *["--emp-var-rate", "1", "--cons-price-idx", "2", "--cons-conf-idx", "3"]
         , *["--euribor3m", "4", "--nr-employed", "5"]),
        ("indicators", "show"),  # PostgreSQL
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)  # fmt: skip
def test_commands_reach_the_stack(shell: Mapping[str, str], arguments: tuple[str, ...]) -> None:
    """Each part is reached as `stack.json` says."""
    says(shell, *arguments)
