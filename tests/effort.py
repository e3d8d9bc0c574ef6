"""How much effort tests make: a little in every build (`make test`), much in the long one (`make thorough`).

MILLRACE_EFFORT=thorough says which.
"""

import os


def by_effort(*, quick: int, thorough: int) -> int:
    """Return a number of items or examples for the effort that was asked for."""
    return {"quick": quick, "thorough": thorough}[os.environ.get("MILLRACE_EFFORT", "quick")]
