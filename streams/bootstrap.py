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


_OF_CLIENTS = ("PG", "AWS_")
"""Prefixes of variables from which libpq, boto3 and obstore would take what our settings do not say: where to connect, how, as whom."""
_INSTEAD = {
    # Files that boto3 would take such settings from, and an address that it would ask for them.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_OF_PYTHON = (
    "PYTHONOPTIMIZE",  # takes the texts from the services, and what holds invariants
    "PYTHONWARNINGS",
    "PYTHONDEVMODE",
    "PYTHONINSPECT",
    "PYTHONVERBOSE",
    "PYTHONPROFILEIMPORTTIME",
)
"""Variables that make Python itself do something else."""


def begin() -> None:
    """Set up this process. Called once, by the program itself and by none of its modules; child processes inherit the environment."""
    start_plainly()
    write_anything()
    for warning in leave_out(os.environ):
        sys.stderr.write(f"millrace: {warning}\n")
    spare_loopback(os.environ)
    open_files()


def start_plainly() -> None:
    """Start this program again if variables that change Python itself are set, without them. Call it before anything else."""
    set_ = [name for name in _OF_PYTHON if name in os.environ]
    if set_:
        for name in set_:
            del os.environ[name]
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def leave_out(environ: MutableMapping[str, str]) -> list[str]:
    """Remove variables that a shell sets for other programs: only our settings say where the parts are, and who the user is there.

    Authorities that the operator names (SSL_CERT_FILE) stay, when there are any; returns the warnings to show.
    """
    for name in [name for name in environ if name.startswith(_OF_CLIENTS)]:
        del environ[name]
    environ.update(_INSTEAD)
    warnings = []
    file = environ.get("SSL_CERT_FILE")
    if file is not None and not _has_certificates(file):
        del environ["SSL_CERT_FILE"]
        warnings.append(f"SSL_CERT_FILE is left out: {file!r} is not a readable file of certificates (PEM)")
    folder = environ.get("SSL_CERT_DIR")
    if folder is not None and not all(map(os.path.isdir, folder.split(os.pathsep))):
        del environ["SSL_CERT_DIR"]
        warnings.append(f"SSL_CERT_DIR is left out: {folder!r} is not a readable folder")
    return warnings


def _has_certificates(file: str) -> bool:
    try:
        with open(file, "rb") as opened:  # noqa: PTH123  # pathlib would take longer to import than all of this
            return b"-----BEGIN" in opened.read()
    except OSError:
        return False


def spare_loopback(environ: MutableMapping[str, str]) -> None:
    """Keep calls to this machine from the proxies that an environment names: no proxy could reach our parts.

    Client libraries differ in which spelling of NO_PROXY they read first, so both get all names of both.
    """
    if not any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in environ):
        return
    hosts = [name.strip() for key in ("no_proxy", "NO_PROXY") for name in environ.get(key, "").split(",")]
    names = ",".join(dict.fromkeys(name for name in (*hosts, *_HERE) if name))
    environ["no_proxy"] = environ["NO_PROXY"] = names


def open_files() -> None:
    """Raise the limit of open files and connections as far as the system allows, up to _FILES: shells set it to 1024."""
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
