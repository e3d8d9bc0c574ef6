"""The numbers of PostgreSQL's advisory locks, one for each table or group of tables that two processes may make at once."""

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """Any numbers that nobody else uses: whoever shared one would wait for work that is none of theirs."""

    HISTORY = 0x6D696C6C
    CALLBACKS = 0x6D696C6D
