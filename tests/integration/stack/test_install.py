"""Fetching the parts, with the real Maven, into a cache of the test's own."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.local.errors import InstallError, MissingTool
from infra.local.installation import install as installing
from tests.integration.support.eventually import eventually


def command(cache: Path, **environ: str) -> subprocess.Popen[str]:
    """`python -m infra.local install` as a process, with a cache folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "infra.local", "install"],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_installs_at_once_make_one(tmp_path: Path) -> None:
    """Of two installs into one cache one does the work, whole; what a killed one left before does not disturb them."""
    (tmp_path / "millrace" / "parts-0.unfinished" / "kafka").mkdir(parents=True)
    both = [command(tmp_path), command(tmp_path)]
    said = [process.communicate(timeout=170)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("fetching Kafka" in text for text in said) == [False, True]
    parts = [path for path in (tmp_path / "millrace").iterdir() if path.is_dir()]
    assert len(parts) == 1
    assert sorted(path.name for path in parts[0].iterdir()) == ["kafka", "postgres", "registry", "s3proxy.jar"]
    assert (parts[0] / "postgres" / "bin" / "postgres").stat().st_mode & 0o111
    assert (parts[0] / "registry" / "quarkus-run.jar").is_file()


def test_without_maven_the_error_says_what_to_install(tmp_path: Path) -> None:
    """One line says what is missing and how it is installed."""
    process = command(tmp_path, PATH=str(tmp_path))
    said = process.communicate(timeout=60)[1]
    assert process.returncode == MissingTool.exit_status
    assert len(said.splitlines()) == 1
    assert "apt-get install maven" in said


def test_maven_ends_with_its_parent(tmp_path: Path) -> None:
    """A killed install leaves no Maven behind, which would write where the next one does."""
    maven, pid = tmp_path / "mvn", tmp_path / "pid"
    maven.write_text(f"#!/bin/sh\necho $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600\n")
    maven.chmod(0o755)
    process = command(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    eventually(pid.exists, 60)
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: not psutil.pid_exists(int(pid.read_text())), 10)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message says which folder it is, and how another one is chosen."""
    (tmp_path / "millrace").write_text("")
    process = command(tmp_path)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == InstallError.exit_status
    assert len(said.splitlines()) == 1
    assert str(tmp_path / "millrace") in said
    assert "XDG_CACHE_HOME" in said


def test_a_file_that_was_changed_on_its_way_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A jar of another content, one too many and one too few are each refused by name."""
    sums = tmp_path / "parts.sha256"
    sums.write_text(
        "".join(
            f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n"
            for name in (
                "kafka/a.jar",
                "kafka/b.jar",
                "archives/postgres-linux-amd64.jar",
                "archives/postgres-darwin-amd64.jar",
            )
        )
    )
    monkeypatch.setattr(installing, "SUMS", sums)
    work = tmp_path / "work"
    for name in ("kafka/a.jar", "kafka/b.jar", "archives/postgres.jar"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name.replace("postgres", "postgres-linux-amd64"))
    installing.verify(work, "linux-amd64")
    with pytest.raises(InstallError, match=r"the first is archives/postgres-darwin-amd64\.jar"):
        installing.verify(work, "darwin-amd64")
    (work / "kafka/c.jar").write_text("more")
    with pytest.raises(InstallError, match=r"the first is kafka/c\.jar \(expected no such file"):
        installing.verify(work, "linux-amd64")
    (work / "kafka/c.jar").unlink()
    (work / "kafka/b.jar").write_text("changed")
    with pytest.raises(InstallError, match=r"1 of the fetched files .* the first is kafka/b\.jar"):
        installing.verify(work, "linux-amd64")
    (work / "kafka/b.jar").unlink()
    with pytest.raises(InstallError, match=r"kafka/b\.jar .* got nothing"):
        installing.verify(work, "linux-amd64")


def test_a_failing_fetch_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maven's own reason is shown, the log is named, and nothing half fetched counts as installed."""
    pom = tmp_path / "pom.xml"
    pom.write_text(installing.POM.read_text().replace("<kafka.version>", "<kafka.version>0.0.0-no-such-"))
    monkeypatch.setattr(installing, "POM", pom)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InstallError, match=r"no-such-.*all of it is in .*install\.log"):
        installing.install()
    assert not [path for path in (tmp_path / "millrace").glob("parts-*") if not path.name.endswith(".unfinished")]
