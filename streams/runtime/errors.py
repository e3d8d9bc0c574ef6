"""What can go wrong in the runtime.

RuntimeFault
├── Undeliverable     ours: Kafka will never take this record (too large, a bad topic name)
├── ProducerStopped   nobody's: the worker is stopping; the record was not sent
├── Revoked           nobody's: the partition belongs to somebody else now, who gets the record again
├── Away              nobody's: a part does not answer; waiting costs no attempt
│   └── StoreAway     … S3
├── Missing           the caller's: an object that a reference names does not exist
└── Stuck             ours: a worker makes no progress although there is work
"""


class RuntimeFault(Exception):
    """The root of the runtime's errors."""


class Undeliverable(RuntimeFault):
    """Kafka refuses this record for good."""


class ProducerStopped(RuntimeFault):
    """The producer was stopped before the record was delivered."""


class Revoked(RuntimeFault):
    """The partition of a record was taken away before its work was done."""


class Away(RuntimeFault):
    """A part of the system does not answer; trying later can help."""


class StoreAway(Away):
    """The object store does not answer."""


class Missing(RuntimeFault):
    """There is no object at this reference."""


class Stuck(RuntimeFault):
    """No progress although there is work; starting again is the remedy."""
