"""What can go wrong with a contract, and whose fault it is.

SchemasError
├── BadSchema            ours or a service's: what should be an Avro schema is none
│   └── UnknownName      … it names a type that nothing defines
├── BadContract          a service's: its contract contradicts itself
├── Nonconforming        the caller's: a record has problems, each with place and hint
├── Undecodable          the sender's: bytes that are no record of the schema they name
│   └── UnknownSchema    … they name a schema that the registry does not have, or that may not be read with
│       └── OtherFormat  … they name a schema that is not of Avro
├── Unwritable           ours or a service's: a value cannot be written with its schema
├── Incompatible         ours or a service's: a new schema cannot read what the old one wrote
└── RegistryAway         nobody's: the registry does not answer; try again later, it costs no attempt
"""

from dataclasses import dataclass


class SchemasError(Exception):
    """Something is wrong with a contract or a record."""


class BadSchema(SchemasError, ValueError):
    """What stands in the place of an Avro schema is none, or one that is not allowed here."""


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
        """The form it has in a problem document: `{where, problem, hint}`."""
        return {"where": self.where, "problem": self.problem, "hint": self.hint}


class Nonconforming(SchemasError, ValueError):
    """A record does not conform to its schema; `problems` holds every reason."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Undecodable(SchemasError, ValueError):
    """Bytes that cannot be read as a record; reading them again cannot help."""


class UnknownSchema(Undecodable):
    """Bytes name a schema that the registry does not have, or that may not be read with (see `schemas.validation.dangers`)."""


class OtherFormat(UnknownSchema):
    """Bytes name a schema of something else than Avro; `format` is the registry's word for it: JSON, PROTOBUF."""

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


class RegistryAway(SchemasError):
    """The schema registry does not answer; the same call may succeed later."""
