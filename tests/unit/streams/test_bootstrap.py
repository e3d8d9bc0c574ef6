"""A program works whatever environment it is started in."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from streams.bootstrap import leave_out, spare_loopback


@pytest.mark.parametrize("key", ["HTTP_PROXY", "https_proxy", "all_proxy"])
def test_no_proxy_gets_calls_to_this_machine(key: str) -> None:
    """Where the environment names a proxy, this machine is excepted in both spellings, beside what was excepted before."""
    environ = {key: "http://proxy.example:3128", "no_proxy": "a.example, 127.0.0.1", "NO_PROXY": "b.example"}
    spare_loopback(environ)
    assert environ["no_proxy"] == environ["NO_PROXY"] == "a.example,127.0.0.1,b.example,localhost,::1"


def test_an_environment_without_proxies_stays_as_it_is() -> None:
    """Nothing is added where there is nothing to be kept from."""
    environ = {"PATH": "/bin", "NO_PROXY": "a.example"}
    spare_loopback(environ)
    assert environ == {"PATH": "/bin", "NO_PROXY": "a.example"}


def test_as_many_files_may_be_open_as_the_system_lets() -> None:
    """Shells hand on a limit of 1024; what the system allows beyond it is taken, within reason."""
    code = (
        "import resource; from streams.bootstrap import open_files\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))\n"
        "open_files(); print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit, soft in ((300, 300), (hard, 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))):
        done = subprocess.run(
            [sys.executable, "-c", code.format(hard=limit)], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [str(soft), str(limit)]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_text_can_be_printed(encoding: str) -> None:
    """What the terminal's encoding lacks is escaped, also in file names that are no text; JSON stays JSON."""
    code = """
import json
from streams.bootstrap import begin
begin()
print(json.dumps({"said": "é → \\U0001f600 \\udcff"}, ensure_ascii=False))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONIOENCODING": encoding}, capture_output=True, check=True
    )
    assert json.loads(done.stdout.decode(encoding)) == {"said": "é → 😀 \udcff"}


def test_variables_that_clients_would_read_are_left_out() -> None:
    """Our own settings and everything else stay; boto3 finds no files either."""
    environ = {"PGSSLMODE": "require", "AWS_PROFILE": "work", "MILLRACE_S3": "http://127.0.0.1:1", "PATH": "/bin"}
    assert leave_out(environ) == []
    devnull = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    assert environ == {
        "MILLRACE_S3": "http://127.0.0.1:1",
        "PATH": "/bin",
        **devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_authorities_stay_where_there_are_any(tmp_path: Path) -> None:
    """A file that is none would end the first connection with a stack trace; the operator is told."""
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    good.write_text("-----BEGIN CERTIFICATE-----\n")
    bad.write_text("nothing")
    environ = {"SSL_CERT_FILE": str(good), "SSL_CERT_DIR": str(tmp_path)}
    assert leave_out(environ) == []
    assert (environ["SSL_CERT_FILE"], environ["SSL_CERT_DIR"]) == (str(good), str(tmp_path))
    for file in (bad, tmp_path / "missing"):
        environ = {"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": str(bad)}
        told = leave_out(environ)
        assert [line.partition(" ")[0] for line in told] == ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        assert not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & environ.keys()


def test_a_program_is_itself_whatever_python_is_told() -> None:
    """With PYTHONOPTIMIZE and warnings as errors, a program keeps its texts, its arguments and its assertions."""
    code = """
import sys
from pathlib import Path
from streams.bootstrap import begin
begin()
def documented(): "text"
assert sys.argv == ["-c", "an argument"] and not sys.flags.optimize
print(documented.__doc__, sys.warnoptions)
"""
    environ = {"PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", code, "an argument"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "text []\n"
