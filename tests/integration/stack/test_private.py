"""The local stack is its owner's alone: other users of the machine, and pages in a browser, get nothing from it."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local.errors import BadHome
from infra.local.home import private
from infra.local.home.state import locked
from infra.local.parts.table import BACKEND
from infra.local.stack import Stack
from tests.acceptance.kafka_client import access
from tests.integration.stack.test_stack import objects

NOBODY = 65_534
_LOOKS = """
import os, sys
found = []
for folder, folders, files in os.walk(sys.argv[1]):
    for name in files:
        try:
            open(os.path.join(folder, name), "rb").close()
            found.append(os.path.join(folder, name))
        except OSError:
            pass
try:
    found += os.listdir(sys.argv[1])
except OSError:
    pass
for path in sys.argv[2:]:
    try:
        open(path, "rb").close()
        found.append(path)
    except OSError:
        pass
print(found)
"""


_DESCRIBE_CLUSTER = struct.pack(">hhihb?b", 60, 0, 1, -1, 0, False, 0)
"""A request that both a broker and a controller answer, as it is sent without a login."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack in a home that an older version left open, below folders that everybody may walk through."""
    folder = tmp_path_factory.mktemp("open")
    for each in (folder, *folder.parents):
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o011)
    home = folder / "home"
    for name in ("logs", "s3/objects/millrace", "kafka"):
        (home / name).mkdir(parents=True)
        (home / name).chmod(0o755)
    (home / "ports.json").write_text("{}")
    home.chmod(0o755)
    with Stack(home, BACKEND, preferred=False) as made:
        yield made


def everything(home: Path) -> list[str]:
    """Every file of a home, by the path that somebody may know."""
    return [str(path) for path in home.rglob("*") if path.is_file()]


def test_another_user_can_read_no_file(stack: Stack) -> None:
    """Neither by looking around nor by a path that they know; as root, that is tried as another user."""
    assert len(everything(stack.home)) > 50
    if os.geteuid() != 0:
        assert stack.home.stat().st_mode & 0o077 == 0
        return
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    # System Python: the one of this environment may itself be closed to others.
    python = next(path for path in ("/usr/bin/python3", sys.executable) if Path(path).exists())
    user = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = [*user, python, "-c", _LOOKS, str(stack.home), *everything(stack.home)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout == "[]\n"


def test_nobody_else_runs_as_postgres_does(stack: Stack) -> None:
    """Under root, PostgreSQL and its data belong to an id that no account has, and that may read nothing of others."""
    pid = stack.part("postgres").pid
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    owner = (stack.home / "postgres" / "data").stat().st_uid
    assert set(map(int, status["Uid"].split())) == {owner}
    if os.geteuid() == 0:
        assert owner in private.DYNAMIC
        assert int(status["CapEff"], 16) == 0
        assert int(status["CapAmb"], 16) == 0


def test_kafka_takes_nobody_without_the_password(stack: Stack) -> None:
    """Neither the brokers' port nor the controller's."""
    right = access(stack.settings)
    assert AdminClient(right).list_topics(timeout=10).brokers
    for wrong in ({"bootstrap.servers": stack.settings.kafka}, {**right, "sasl.password": "wrong"}):
        with pytest.raises(KafkaException):
            AdminClient({**wrong, "log_level": 0}).list_topics(timeout=3)
    ports = json.loads((stack.home / "ports.json").read_text())
    for port in (ports["kafka"], ports["kafka-controller"]):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(struct.pack(">i", len(_DESCRIBE_CLUSTER)) + _DESCRIBE_CLUSTER)
            assert connection.recv(4) == b""


def test_the_registry_takes_nobody_without_the_password(stack: Stack) -> None:
    """Nor a page of a browser, by whatever name it calls this machine; and no page of another origin may read an answer."""
    right = httpx.URL(stack.settings.registry)
    bare = str(right.copy_with(userinfo=b""))
    with httpx.Client(trust_env=False) as http:
        assert http.get(f"{right}/subjects").status_code == 200
        assert http.get(f"{bare}/subjects").status_code == 401
        assert http.get(f"{bare}/subjects", auth=("millrace", "wrong")).status_code == 401
        root = bare.removesuffix("/apis/ccompat/v7")
        evil = {"host": f"evil.example:{right.port}", "origin": f"http://evil.example:{right.port}"}
        for path in ("/", "/apis/registry/v3/system/info", "/apis/registry/v2/search/artifacts", "/q/openapi"):
            assert http.get(root + path, headers=evil).status_code == 401, path
        assert http.delete(f"{bare}/subjects/any", headers=evil).status_code == 401
        answer = http.get(f"{right}/subjects", headers={"origin": "http://evil.example"})
        assert "access-control-allow-origin" not in answer.headers


def test_s3_lists_nothing_unsigned(stack: Stack) -> None:
    """A bucket's folder that others may read would be a public bucket; nor is an object given that somebody knows of."""
    client = objects(stack.settings)
    client.put_object(Bucket=stack.settings.s3_bucket, Key="known", Body=b"private")
    with httpx.Client(trust_env=False) as http:
        for path in ("/", "/millrace", "/millrace?list-type=2", "/millrace/known"):
            assert http.get(stack.settings.s3 + path).status_code == 403, path


def test_the_files_for_clients_open_each_part(stack: Stack) -> None:
    """curl, psql and Kafka's clients need nothing but their file, and `status` shows each command."""
    folder = stack.home / "clients"
    said = subprocess.run(
        [sys.executable, "-m", "infra.local", "status", "--home", str(stack.home)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    commands = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert [line.partition(" ")[0] for line in commands if not line.startswith("PG")] == ["kcat", "curl", "curl"]
    for line in commands:
        if line.startswith("curl"):
            answer = subprocess.run([*line.split(), "-s", "--fail-with-body"], capture_output=True, text=True)
            assert answer.returncode == 0, answer.stdout + answer.stderr
    lines = (line.partition("=") for line in (folder / "kcat.conf").read_text().splitlines())
    assert AdminClient({key: value for key, _, value in lines}).list_topics(timeout=10).brokers
    service = os.environ | {"PGSERVICEFILE": str(folder / "pg_service.conf")}
    query = "import psycopg; print(psycopg.connect('service=millrace').execute('select 7').fetchone()[0])"
    assert subprocess.run([sys.executable, "-c", query], env=service, capture_output=True, text=True).stdout == "7\n"


def test_a_folder_that_everybody_may_write_is_no_home(tmp_path: Path) -> None:
    """Its mode is left alone."""
    tmp_path.chmod(0o1777)
    with pytest.raises(BadHome, match="every user of this machine may write there"), locked(tmp_path):
        pass
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777
