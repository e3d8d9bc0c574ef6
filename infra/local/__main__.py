"""`python -m infra.local up | down | status`: the embedded stack on the command line."""

import sys

from infra.local.commands import main

if __name__ == "__main__":
    sys.exit(main())
