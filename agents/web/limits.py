"""How much a call may take, and who may be called; read from the operator's environment when a call comes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from agents.web.allow import AllowList
from streams.settings import read_fields

PREFIX = "MILLRACE_HTTP_"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Each field is read from `MILLRACE_HTTP_<FIELD>`; numbers are positive, `redirects` may be 0."""

    allow: str = ""
    """Who may be called: `[METHODS ]https://host[:port][ at RANGES]`, comma separated; empty: nobody."""
    secrets: str = ""
    """The folder with the secrets that calls may name; see [secrets](#secrets)."""
    ca: str = ""
    """A file with certificates (PEM) of authorities to trust besides those of the system."""
    request: int = 1 * MIB
    """Bytes of a request's body."""
    answer: int = 2 * MIB
    """Bytes of an answer that is text or JSON, unpacked. Pictures have the limit of uploads."""
    connect: float = 5.0
    """Seconds for resolving a name, and for each connection."""
    silence: float = 15.0
    """Seconds without a byte. The whole call has the node's `timeout`, or 30 s."""
    redirects: int = 5
    """Redirects that are followed, each checked like a first call."""
    retry_after: float = 300.0
    """Seconds that a `Retry-After` may put off the next attempt; more is cut to this."""

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Limits from the environment, else defaults. Raises SettingError naming the key and the bad value."""
        limits = cls(**read_fields(cls, PREFIX, environ, may_be_zero=("redirects",)))
        limits.allowed  # noqa: B018  # read now, so that a wrong one is reported at once
        return limits

    @cached_property
    def allowed(self) -> AllowList:
        """`allow`, read. Raises SettingError."""
        return AllowList.read(self.allow)

    @property
    def folder(self) -> Path | None:
        """`secrets`, as a path."""
        return Path(self.secrets) if self.secrets else None
