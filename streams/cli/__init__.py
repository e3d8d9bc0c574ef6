"""The command line, `millrace`.

Its modules import nothing heavy before a command needs it, so that help is instant.
"""

import sys


def main() -> None:
    """Run one command; its exit status is one of `streams.cli.exits`."""
    from streams.bootstrap import begin

    begin()
    from streams.cli.app import run

    sys.exit(run(sys.argv[1:]))
