"""The numbers of PostgreSQL's advisory locks, one for each group of tables that two processes may create at once."""

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """A lock; any distinct numbers will do. Processes that take the same lock wait for each other."""

    HISTORY = 0x6D696C6C
    CALLBACKS = 0x6D696C6D
