"""How much effort tests make, and how patient they are.

A little effort in every build (`make test`), much in the long one (`make thorough`): MILLRACE_EFFORT=thorough says which.
"""

import os


def by_effort(*, quick: int, thorough: int) -> int:
    """Return a number of items or examples for the effort that was asked for."""
    return {"quick": quick, "thorough": thorough}[os.environ.get("MILLRACE_EFFORT", "quick")]


PATIENCE = 2.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0
"""By how much the deadlines of tests are longer, since tests of other processes run beside them. Only a failure takes longer."""
