"""Secrets: the operator's, by name, each bound to the origins that it may be sent to. Read at the moment of a call.

A secret is a file in the folder of MILLRACE_HTTP_SECRETS, named like it, and a file `<name>.origins` beside it with one
origin a line (`https://api.example.com`, or `https://*.example.com`). Or, where there is no such file, the variables
MILLRACE_SECRET_<NAME> and MILLRACE_SECRET_<NAME>_ORIGINS (upper case, dashes as underscores).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents.web.allow import AllowList
from agents.web.target import Target
from streams.service.errors import InvalidInput
from streams.settings import SettingError

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SHORTEST = 8
"""Smallest number of characters: a shorter secret would match everywhere when answers are searched for it."""
_PREFIX = "MILLRACE_SECRET_"
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class Misplaced(SettingError):
    """Raised when a secret's file or variable cannot be used; the message never contains its value."""


@dataclass(frozen=True)
class Secret:
    """A secret, and the origins that it may be sent to."""

    name: str
    value: str = field(repr=False)
    origins: AllowList

    def open_to(self, target: Target) -> bool:
        """Return whether it may be sent to this target."""
        return any(rule.fits("GET", target) for rule in self.origins.rules)


@dataclass(frozen=True)
class Secrets:
    """The operator's secrets."""

    folder: Path | None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def get(self, name: str) -> Secret:
        """Read a secret. Raises InvalidInput if it does not exist, and Misplaced."""
        if not NAME.fullmatch(name) or len(name) > 60:
            raise InvalidInput("this is not a valid secret name", "lower-case letters, digits and dashes", "secrets")
        text = self._file(name) or self._variable(name)
        if text is None:
            raise InvalidInput(
                f"there is no secret {name!r} here", "the operator of the http-call worker sets it", "secrets"
            )
        value, origins = text[0].strip("\r\n"), text[1]
        if len(value) < SHORTEST or not _VALUE.fullmatch(value):
            raise Misplaced(f"the secret {name!r} is not a line of {SHORTEST} or more printable ASCII characters")
        if not origins.strip():
            raise Misplaced(f"the secret {name!r} is bound to no origin, so it can be sent nowhere")
        try:
            return Secret(name, value, AllowList.read(origins))
        except SettingError as error:
            reason = str(error).partition(": ")[2]
            raise Misplaced(f"the origins of the secret {name!r} cannot be read: {reason}") from None

    def _file(self, name: str) -> tuple[str, str] | None:
        if self.folder is None:
            return None
        try:
            value = (self.folder / name).read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeError) as error:
            raise Misplaced(f"the secret {name!r} cannot be read: {type(error).__name__}") from None
        try:
            return value, (self.folder / f"{name}.origins").read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            return value, ""

    def _variable(self, name: str) -> tuple[str, str] | None:
        key = _PREFIX + name.replace("-", "_").upper()
        value = self.environ.get(key)
        return None if value is None else (value, self.environ.get(f"{key}_ORIGINS", ""))
