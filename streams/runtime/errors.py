"""Errors of the runtime.

MillraceError
└── RuntimeFault
    ├── Undeliverable          our fault: Kafka never accepts this record (too large, an invalid topic name)
    ├── ProducerStopped        nobody's fault: the worker is stopping; the record was not sent
    ├── Revoked                nobody's fault: the partition has another owner now, which gets the record again
    ├── Unavailable            nobody's fault: a part does not answer; waiting for it uses up no attempt
    │   └── StoreUnavailable   … S3
    ├── Missing                the caller's fault: a reference names an object that does not exist
    └── Stuck                  our fault: a worker has work and makes no progress
"""

from streams.errors import Blame, MillraceError


class RuntimeFault(MillraceError):
    """The base of the runtime's errors."""


class Undeliverable(RuntimeFault):
    """Kafka rejects this record permanently."""


class ProducerStopped(RuntimeFault):
    """The producer was stopped before the record was delivered."""

    blame = Blame.NOBODY


class Revoked(RuntimeFault):
    """The partition of a record was revoked before its work was done."""

    blame = Blame.NOBODY


class Unavailable(RuntimeFault):
    """A part of the system does not answer; trying again later can help."""

    blame = Blame.NOBODY


class StoreUnavailable(Unavailable):
    """The object store does not answer."""


class Missing(RuntimeFault):
    """No object exists at this reference."""

    blame = Blame.CALLER


class Stuck(RuntimeFault):
    """The worker has work but makes no progress; restarting it is the remedy."""
