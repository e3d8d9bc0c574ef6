"""Report what in a legacy pipeline has no counterpart, with its place as a JSON pointer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streams.errors import Blame, MillraceError


@dataclass(frozen=True, order=True)
class Finding:
    """One thing without a counterpart: `pointer` is an RFC 6901 pointer into the file, `node` the id of its node or ""."""

    pointer: str
    node: str
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        whose = f" node {self.node}:" if self.node else ""
        return f"{self.pointer or '/'}:{whose} {self.problem}" + (f" ({self.hint})" if self.hint else "")

    def to_json(self) -> dict[str, Any]:
        """Return the form that `--json` prints."""
        return {"pointer": self.pointer, "node": self.node, "problem": self.problem, "hint": self.hint}


class NoCounterpart(MillraceError):
    """Raised when a legacy pipeline cannot be converted; `findings` holds every reason."""

    blame = Blame.AUTHOR

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(map(str, self.findings)))


def pointer(*parts: str | int) -> str:
    """Join parts to a pointer such as `/nodes/2/input/areas`, with `~` and `/` in names escaped."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
