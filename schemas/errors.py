"""The root of every error of the project, and what can go wrong with a contract.

MillraceError
└── SchemasError
    ├── BadSchema            author: what should be an Avro schema is not one
    │   └── UnknownName      … it names a type that nothing defines
    ├── BadContract          author: a service's contract contradicts itself
    ├── Nonconforming        caller: a record has problems, each with place and hint
    ├── Undecodable          caller: bytes that are not a record of the schema they name
    │   └── UnknownSchema    … they name a schema that the registry lacks, or that is unsafe to read with
    │       └── OtherFormat  … they name a schema that is not Avro
    ├── Unwritable           author: a value cannot be written with its schema
    ├── Incompatible         author: a new schema cannot read what the old one wrote
    └── RegistryUnavailable  nobody: the registry does not answer; a later attempt can succeed
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Blame(StrEnum):
    """Who can put an error right."""

    CALLER = "caller"  # sent a request, a record or an argument that cannot be served
    AUTHOR = "author"  # wrote a pipeline, a service or a schema that is wrong
    OPERATOR = "operator"  # runs an installation that lacks something or has a wrong setting
    NOBODY = "nobody"  # a part is unavailable or the work moved elsewhere: a later attempt can succeed
    OURS = "ours"  # a bug of Millrace


class MillraceError(Exception):
    """The root of every error that Millrace raises on purpose; the message is written for whom `blame` names."""

    blame: ClassVar[Blame] = Blame.OURS
    """Who can put it right."""
    hint: str = ""
    """What to do instead; empty when the message says it all."""


class SchemasError(MillraceError):
    """Something is wrong with a contract or a record."""

    blame = Blame.AUTHOR


class BadSchema(SchemasError, ValueError):
    """What should be an Avro schema is not one, or not one that is allowed here."""


class UnknownName(BadSchema):
    """A schema names a type that nothing defines."""


class BadContract(SchemasError, ValueError):
    """A contract contradicts itself or cannot be read; the message names the service and the fault."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (`areas[0].width`, "" for the whole), what, and what to do ("" when unknown)."""

    where: str
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text} ({self.hint})" if self.hint else text

    def to_json(self) -> dict[str, str]:
        """Return the form it has in a problem document: `{where, problem, hint}`."""
        return {"where": self.where, "problem": self.problem, "hint": self.hint}


class Nonconforming(SchemasError, ValueError):
    """A record does not conform to its schema; `problems` holds every reason."""

    blame = Blame.CALLER

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Undecodable(SchemasError, ValueError):
    """Bytes that cannot be read as a record; reading them again cannot help."""

    blame = Blame.CALLER


class UnknownSchema(Undecodable):
    """Bytes name a schema that the registry lacks, or that is unsafe to read with (see `schemas.validation.dangers`)."""


class OtherFormat(UnknownSchema):
    """Bytes name a schema that is not Avro; `format` is the registry's word for what it is: JSON, PROTOBUF."""

    def __init__(self, schema_id: int, format: str) -> None:
        super().__init__(f"the schema {schema_id} is of {format}, not of Avro")
        self.format = format


class Unwritable(SchemasError, ValueError):
    """A value cannot be written with its schema."""


class Incompatible(SchemasError, ValueError):
    """A new schema cannot read what the old one wrote; `problems` holds every reason."""

    def __init__(self, subject: str, problems: list[str]) -> None:
        super().__init__(f"{subject}: the new schema cannot read older records: " + "; ".join(problems))
        self.subject = subject
        self.problems = problems


class RegistryUnavailable(SchemasError):
    """The schema registry does not answer; the same call may succeed later."""

    blame = Blame.NOBODY
