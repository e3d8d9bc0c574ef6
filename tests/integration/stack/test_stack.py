"""The embedded stack with its four real parts, run by the real command."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import boto3
import httpx
import psutil
import psycopg
import pytest
from botocore.config import Config
from confluent_kafka.admin import AdminClient, NewTopic

from infra.local.errors import AlreadyRunning, NotRunning
from infra.local.home.state import StackState
from infra.local.parts.table import BACKEND
from infra.local.processes.process import leftovers
from infra.local.running import RunningStack
from streams.settings import Settings
from tests.integration.support.eventually import eventually
from tests.integration.support.sockets import listening

SCHEMA = '{"type": "record", "name": "Kept", "fields": []}'


class Launcher:
    """`python -m infra.local up` as a process of its own, the way a user has it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.running = RunningStack(home)
        self.process: subprocess.Popen[str] | None = None

    def up(self) -> None:
        """Start it and wait until every part is ready."""
        process = self.process = self.command("up", "--parts", ",".join(BACKEND))
        said = []
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if "all parts are up" in line:
                # Nobody reads on, as when a terminal is closed: that must not disturb the launcher.
                process.stderr.close()
                return
        raise AssertionError("".join(said))

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """One command of the stack, as a process."""
        command = [sys.executable, "-m", "infra.local", arguments[0], "--home", str(self.home), *arguments[1:]]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def says(self, *arguments: str) -> tuple[int, str, str]:
        """Status, stdout and stderr of one command."""
        process = self.command(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def state(self) -> StackState:
        """What the stack says about itself."""
        return self.running.state


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    """A stack of this file's own, since its tests break it; its home is called as a home may be."""
    folder = Path(tempfile.mkdtemp(prefix="millrace-stack-"))
    home = folder / "Café, a=b ☕"
    launcher = Launcher(home)
    try:
        launcher.up()
        yield launcher
    finally:
        if launcher.process is not None and launcher.process.poll() is None:
            launcher.process.terminate()
            launcher.process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def kept(launcher: Launcher) -> Settings:
    """Settings of the stack, after a topic, a schema, an object and a row were put into it."""
    settings = launcher.running.settings
    admin = AdminClient({**settings.brokers.confluent()})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(10)
    httpx.post(f"{settings.registry}/subjects/kept/versions", json={"schema": SCHEMA}).raise_for_status()
    objects(settings).put_object(Bucket=settings.s3_bucket, Key="kept", Body=b"kept")
    with psycopg.connect(settings.postgres, autocommit=True) as connection:
        connection.execute("create table kept as select 'kept' as word")
    return settings


def objects(settings: Settings):  # type: ignore[no-untyped-def]  # boto3 makes its client types at run time
    """A client of the S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=settings.s3,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name="local",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10),
    )


def keeps(settings: Settings) -> list[str]:
    """Which of the four parts still have what was put into them."""
    found = []
    if "kept" in AdminClient({**settings.brokers.confluent()}).list_topics(timeout=10).topics:
        found.append("kafka")
    if "kept" in httpx.get(f"{settings.registry}/subjects").json():
        found.append("registry")
    bucket = {"Bucket": settings.s3_bucket}
    listed = objects(settings).list_objects_v2(**bucket, Prefix="kep").get("Contents", [])
    if [objects(settings).get_object(**bucket, Key=one["Key"])["Body"].read() for one in listed] == [b"kept"]:
        found.append("s3")
    with psycopg.connect(settings.postgres) as connection:
        if connection.execute("select word from kept").fetchone() == ("kept",):
            found.append("postgres")
    return found


def test_every_part_does_its_work(kept: Settings) -> None:
    """A topic, a schema, an object and a row can be written and read back."""
    assert keeps(kept) == ["kafka", "registry", "s3", "postgres"]


def test_only_loopback_is_bound(launcher: Launcher, kept: Settings) -> None:
    """Nothing of the stack can be reached from another machine, management and controller ports included."""
    bound = listening(launcher.state().pid)
    assert {address for address, _ in bound} == {"127.0.0.1"}
    ports = json.loads((launcher.home / "ports.json").read_text())
    assert {port for _, port in bound} == {port for name, port in ports.items() if name != "gateway"}


def test_topics_do_not_come_by_themselves(kept: Settings) -> None:
    """A topic that nobody compiled is not created by asking for it."""
    client = AdminClient({**kept.brokers.confluent(), "allow.auto.create.topics": True})
    assert client.list_topics("nobody-made-this", timeout=10).topics["nobody-made-this"].error is not None
    assert "nobody-made-this" not in client.list_topics(timeout=10).topics


def test_secrets_are_for_their_owner_only(launcher: Launcher) -> None:
    """No other user can read the API key, the passwords or the state that holds them."""
    paths = [launcher.home / "api-key", launcher.home / "stack.json", *(launcher.home / "secrets").iterdir()]
    assert {oct(path.stat().st_mode & 0o077) for path in [*paths, launcher.home / "s3" / "s3proxy.conf"]} == {"0o0"}


def test_postgres_asks_for_a_password(kept: Settings) -> None:
    """Another local user cannot connect without the home's secret."""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(kept.postgres, password="wrong")


@pytest.mark.parametrize("name", BACKEND)
def test_a_killed_part_comes_back_with_its_data(launcher: Launcher, kept: Settings, name: str) -> None:
    """After kill -9 of any part it is started again on its port, the count says so, and nothing stored is lost."""
    before = launcher.running.part(name)
    launcher.running.restart(name, kill=True)
    after = launcher.running.part(name)
    assert (after.restarts, after.port, after.reason) == (before.restarts + 1, before.port, "was killed by signal 9")
    eventually(lambda: keeps(kept) == ["kafka", "registry", "s3", "postgres"], 20)


def test_the_registry_serves_when_its_database_is_back(launcher: Launcher, kept: Settings) -> None:
    """No call fails on a connection that PostgreSQL's death has cut, however many of them the registry kept."""
    with ThreadPoolExecutor(8) as callers:

        def all_answers() -> set[int]:
            return set(callers.map(lambda _: httpx.get(f"{kept.registry}/subjects").status_code, range(32)))

        assert all_answers() == {200}  # now it has connections
        launcher.running.restart("postgres", kill=True)
        assert all_answers() == {200}


def test_status_shows_each_part(launcher: Launcher, kept: Settings) -> None:
    """`status` gives one JSON object a part, and status 0 when all are ready."""
    status, out, _ = launcher.says("status", "--output", "json")
    shown = {line["part"]: line for line in map(json.loads, out.splitlines())}
    assert status == 0
    assert {name: line["state"] for name, line in shown.items()} == dict.fromkeys(BACKEND, "ready")
    assert all(psutil.pid_exists(line["pid"]) for line in shown.values())


def test_proxies_get_no_call_to_this_machine(launcher: Launcher, kept: Settings) -> None:
    """What the environment says of proxies keeps nobody from the registry and S3: `apply` does all of its work."""
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    environ = {**os.environ, **proxies, "MILLRACE_HOME": str(launcher.home), "MILLRACE_TOPIC_PREFIX": "proxied-"}
    command = [sys.executable, "-m", "streams.cli", "apply", "--yes"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert "changes made" in done.stderr


def test_a_second_up_is_refused(launcher: Launcher, kept: Settings) -> None:
    """A second launcher in the same home says who runs there, ends with its own status, and disturbs nothing."""
    before = launcher.state()
    status, _, said = launcher.says("up", "--parts", "s3")
    assert status == AlreadyRunning.exit_status
    assert f"pid {before.pid}" in said
    assert "millrace down" in said
    assert launcher.state() == before


def test_a_killed_launcher_is_not_stumbled_over(launcher: Launcher, kept: Settings) -> None:
    """After kill -9 of the launcher a second `up` works at once, keeps the data, and leaves a port that was taken meanwhile."""
    before = launcher.state()
    assert launcher.process is not None
    os.kill(before.pid, signal.SIGKILL)
    launcher.process.wait(10)
    with closing(socket.socket()) as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        eventually(lambda: binds(squatter, before.parts["s3"].port), 20)
        squatter.listen()
        launcher.up()
    after = launcher.state()
    assert after.parts["s3"].port != before.parts["s3"].port
    assert {name: part.port for name, part in after.parts.items() if name != "s3"} == {
        name: part.port for name, part in before.parts.items() if name != "s3"
    }
    alive = {process.pid for process in leftovers(launcher.home)}
    assert not alive & {part.pid for part in before.parts.values()}
    assert keeps(launcher.running.settings) == ["kafka", "registry", "s3", "postgres"]


def binds(server: socket.socket, port: int | None) -> bool:
    """Whether the port was free and is this socket's now."""
    try:
        server.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def test_down_leaves_no_process(launcher: Launcher, kept: Settings) -> None:
    """`down` stops every process of the stack, and the stack is known to be gone."""
    assert launcher.process is not None
    assert leftovers(launcher.home)
    status, _, _ = launcher.says("down")
    assert status == 0
    assert launcher.process.wait(30) == 0
    assert leftovers(launcher.home) == []
    assert launcher.says("down")[0] == NotRunning.exit_status
    assert launcher.says("status")[0] == NotRunning.exit_status
