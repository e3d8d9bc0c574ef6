"""What each of our programs does first, whatever environment it is started in."""

import codecs
import io
import os
import resource
import sys
from collections.abc import MutableMapping

_HERE = ("127.0.0.1", "localhost", "::1")
_ESCAPED = "millrace.escaped"
_FILES = 65_536
"""More is not asked for: some programs go through every file that could be open."""


def begin() -> None:
    """Called once, by the program itself and by none of its modules; child processes inherit the environment."""
    spare_loopback(os.environ)
    write_anything()
    open_files()


def spare_loopback(environ: MutableMapping[str, str]) -> None:
    """Keep calls to this machine from the proxies that an environment names: no proxy could reach our parts.

    Client libraries differ in which spelling of NO_PROXY they read first, so both get all names of both.
    """
    if not any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in environ):
        return
    given = [name.strip() for key in ("no_proxy", "NO_PROXY") for name in environ.get(key, "").split(",")]
    names = ",".join(dict.fromkeys(name for name in (*given, *_HERE) if name))
    environ["no_proxy"] = environ["NO_PROXY"] = names


def open_files() -> None:
    """Open as many files and connections as the system lets this process, up to _FILES: shells hand on a limit of 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def write_anything() -> None:
    r"""Write what a terminal's encoding has no character for as `\uXXXX`, which JSON reads too, in place of an exception."""
    codecs.register_error(_ESCAPED, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)), error.end
