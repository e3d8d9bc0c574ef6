"""What can go wrong with a pipeline, and who can put it right.

MillraceError
├── PipelineErrors       author: every problem of a file at once
├── UnknownPipeline      caller: no pipeline has that name or digest
└── EvaluationError      author: an expression failed on the values of a run
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import Blame, MillraceError

__all__ = [
    "MOST_PROBLEMS",
    "Blame",
    "EvaluationError",
    "MillraceError",
    "PipelineErrors",
    "Problem",
    "UnknownPipeline",
    "bounded",
]


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a pipeline file. Lines and columns count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    where: str
    """The place in the file's own words: `nodes.blur.with.areas`."""
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        subject = f" {self.where}:" if self.where else ""
        return f"{place}:{subject} {self.problem}" + (f" ({self.hint})" if self.hint else "")

    def to_json(self) -> dict[str, Any]:
        """Return the form of a problem in `errors` of problem+json."""
        return {
            "where": self.where,
            "problem": self.problem,
            "hint": self.hint,
            "file": self.file,
            "line": self.line,
            "column": self.column,
        }


class PipelineErrors(MillraceError):
    """The pipeline cannot be compiled; `problems` holds all that is wrong with it, in file order."""

    blame = Blame.AUTHOR

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


MOST_PROBLEMS = 100
"""Problems of one file that are looked for."""


def bounded(problems: Sequence[Problem]) -> None:
    """Raise PipelineErrors when there are as many problems as anybody wants to read, with a note that there may be more."""
    if len(problems) >= MOST_PROBLEMS:
        file = problems[0].file
        more = Problem(file, 0, 0, "", f"there may be more than these {len(problems)} problems", "mend these first")
        raise PipelineErrors([*problems, more])


class UnknownPipeline(MillraceError):
    """No pipeline has this name or digest."""

    blame = Blame.CALLER


class EvaluationError(MillraceError):
    """An expression failed on the values of a run; `hint` says what its author can do."""

    blame = Blame.AUTHOR

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)
