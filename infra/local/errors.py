"""What can go wrong with the embedded stack, and the exit status each error means on the command line.

LocalError
├── UnknownPart        a part was named that there is not           exit 2
├── BadHome            the home cannot be read or written           exit 2
├── MissingTool        something the user must install first            exit 3
├── InstallError       the parts could not be fetched or unpacked       exit 4
├── AlreadyRunning     a stack runs in this home                        exit 5
├── NotRunning         no stack runs in this home                       exit 6
└── StartError         a part did not come up                           exit 7
"""

from pathlib import Path

from schemas.errors import Blame, MillraceError


class LocalError(MillraceError):
    """The embedded stack cannot do what was asked."""

    blame = Blame.OPERATOR
    exit_status = 1


class UnknownPart(LocalError):
    """A part was named that there is not; the message lists those there are."""

    exit_status = 2


class BadHome(LocalError):
    """The home cannot be read or written by who asks; the message names the file and the reason."""

    exit_status = 2

    def __init__(self, home: Path, error: OSError) -> None:
        place = f" ({error.filename})" if error.filename else ""
        super().__init__(f"the home {home} cannot be used: {error.strerror or error}{place}")


class MissingTool(LocalError):
    """Something the user must install first; the message says what and how."""

    exit_status = 3


class InstallError(LocalError):
    """The parts could not be fetched or unpacked; the message names the log to read."""

    exit_status = 4


class AlreadyRunning(LocalError):
    """A stack runs in this home already; the message says where it is reached."""

    exit_status = 5


class NotRunning(LocalError):
    """No stack runs in this home."""

    exit_status = 6


class StartError(LocalError):
    """A part did not come up; the message names the part, the reason and its log."""

    exit_status = 7
