"""A worker: host services and agents until it is stopped.

    python -m agents                      everything there is
    python -m agents image-blur flow      these

Names are those of services (`millrace services` shows them), `flow`, `recorder`, `retry`, `models`, or a module of services by its
dotted path. Ends with 0 after SIGTERM or SIGINT, 2 when a name is unknown, 3 when it is stuck, 1 for any other error;
with 1 and 3 its supervisor should restart it. SIGUSR1 makes it log where it stands. Its services are announced
every MILLRACE_ANNOUNCE seconds (30); docs/reference/settings.md has this and every other setting.
"""

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker until it stops; return its exit status."""
    text = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(
        prog="python -m agents",
        description=text[0],
        epilog="\n".join(text[1:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a service, `services` for all of them, an agent, or a module of services",
    )
    parser.add_argument("--quiet", action="store_true", help="log warnings and errors only")
    options = parser.parse_args(arguments)
    # Imported here: a pool child imports this module again, and needs none of it.
    from agents.hosting import serve
    from streams.bootstrap import begin

    begin()
    return serve(options.names, quiet=options.quiet)


if __name__ == "__main__":
    sys.exit(main())
