"""The gateway's HTTP client: address and key from the settings, and errors as exit statuses of commands."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from streams.cli.exits import Exit, Failed
from streams.cli.settings import settings
from streams.settings import Settings

CONNECT = 5.0
"""Seconds to wait for a connection."""
QUIET = 60.0
"""Seconds without a byte after which a call fails; the gateway pings its event streams more often."""

_EXITS: Mapping[str, Exit] = {
    "urn:millrace:run-not-over": Exit.RUN_NOT_OVER,
    "urn:millrace:run-cancelled": Exit.RUN_CANCELLED,
    "urn:millrace:run-failed": Exit.RUN_FAILED,
    "urn:millrace:run-refused": Exit.RUN_FAILED,
    "urn:millrace:run-broken": Exit.RUN_FAILED,
    "urn:millrace:run-late": Exit.RUN_FAILED,
    "urn:millrace:not-found": Exit.UNKNOWN,
    "urn:millrace:away": Exit.UNAVAILABLE,
    "urn:millrace:busy": Exit.UNAVAILABLE,
}
"""The exit status of each problem type; all others mean REFUSED."""


class Answer(Protocol):
    """What commands read of an answer; `httpx.Response`, which is imported only for a call."""

    @property
    def status_code(self) -> int:
        """The status."""

    @property
    def reason_phrase(self) -> str:
        """The words beside the status."""

    @property
    def is_error(self) -> bool:
        """Whether the status is one of errors, 400 or more."""

    @property
    def content(self) -> bytes:
        """The whole body."""

    @property
    def text(self) -> str:
        """The whole body, decoded."""

    def json(self) -> Any:
        """Return the value of a JSON body. Raises ValueError for any other."""

    def iter_lines(self) -> Iterator[str]:
        """Yield the lines of a body, without their ends, as they come."""


class Gateway:
    """A client of an installation's gateway; use as a context manager. Calls raise Failed when the gateway refuses them."""

    def __init__(self, where: Settings | None = None) -> None:
        import httpx

        self.settings = where or settings()
        self.url = f"http://{self.settings.http_host}:{self.settings.http_port}"
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {key_of(self.settings)}"},
            timeout=httpx.Timeout(QUIET, connect=CONNECT),
            trust_env=False,  # a proxy of the environment must not see the key
        )

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, **options: Any) -> Answer:
        """Make one call; `params` that are None are left out. Raises Failed when the gateway is unavailable or refuses."""
        if "params" in options:
            options["params"] = {name: value for name, value in options["params"].items() if value is not None}
        with self.reached():
            try:
                answer = self._http.request(method, path, **options)
            except UnicodeEncodeError as error:
                raise Failed(Exit.USAGE, f"{error.object!r} cannot be sent: it is no {error.encoding} text") from None
        return self._accepted(answer)

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """Open an answer that is read as it comes. Raises Failed, and httpx.TransportError while it is read."""
        with self._http.stream("GET", path, headers=dict(headers or {})) as answer:
            if answer.is_error:
                answer.read()
            yield self._accepted(answer)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Raise Failed when the gateway does not answer."""
        import httpx

        try:
            yield
        except httpx.ConnectError:
            raise self.unavailable("nothing listens there") from None
        except httpx.LocalProtocolError as error:
            raise Failed(Exit.USAGE, f"this cannot be sent: {error}") from None
        except httpx.TransportError as error:
            raise self.unavailable(str(error) or type(error).__name__) from None

    def unavailable(self, why: str) -> Failed:
        """Return the error for a gateway that is unavailable."""
        return Failed(
            Exit.UNAVAILABLE, f"no gateway answers at {self.url} ({why}); start it with `make run` or `millrace up`"
        )

    def _accepted(self, answer: Answer) -> Answer:
        if answer.status_code == 401:
            raise Failed(
                Exit.REFUSED,
                f"the gateway at {self.url} does not know the key in {_path(self.settings)}; set MILLRACE_HOME to where it runs",
            )
        return accepted(answer)


def key_of(where: Settings) -> str:
    """Read the API key of an installation. Raises Failed if there is none."""
    path = _path(where)
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise Failed(
            Exit.UNAVAILABLE,
            f"there is no API key at {path}: start the system with `make run`, or set MILLRACE_HOME to where it runs",
        ) from None
    except (OSError, ValueError) as error:
        raise Failed(Exit.USAGE, f"the API key at {path} cannot be read: {error}") from error


def _path(where: Settings) -> Path:
    return where.home / "api-key"


def accepted(answer: Answer) -> Answer:
    """Return the answer unless it is an error. Raises Failed with all of the gateway's problems."""
    if not answer.is_error:
        return answer
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict) or "title" not in problem:
        text = answer.text.strip().split("\n")[0][:200]
        raise Failed(Exit.FAULT, f"the gateway answered {answer.status_code} {answer.reason_phrase}: {text}")
    status = Exit.FAULT if answer.status_code == 500 else Exit.REFUSED
    raise Failed(_EXITS.get(str(problem.get("type")), status), _problem_text(problem), problem)


def _problem_text(problem: Mapping[str, Any]) -> str:
    """Write a problem document for a terminal."""
    title, detail = str(problem["title"]), str(problem.get("detail") or problem["title"])
    errors = list(problem.get("errors", ()))
    if str(problem.get("type")).startswith(
        "urn:millrace:run-"
    ):  # a single error repeats the detail, and adds only the hint
        hint = next((f" ({error['hint']})" for error in errors if error.get("hint")), "")
        return f"{detail}{hint}" if detail.startswith(title) else f"{title}: {detail}{hint}"
    text = re.sub(r"GET /(services|pipelines)", r"`millrace \1`", detail)
    return "\n  ".join([text, *map(_error, errors)])


def _error(problem: Mapping[str, Any]) -> str:
    line, column = problem.get("line"), problem.get("column")
    place = f"{problem.get('file', '')}:{line}:{column}: " if line else ""
    where = f"{problem['where']}: " if problem.get("where") else ""
    hint = f" ({problem['hint']})" if problem.get("hint") else ""
    return f"{place}{where}{problem.get('problem', '')}{hint}"


def part(text: str) -> str:
    """Quote a name as a segment of a path."""
    return quote(text, safe="", errors="surrogateescape")
