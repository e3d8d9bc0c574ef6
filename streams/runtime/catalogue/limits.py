"""Limits that an operator sets for the pipelines of an installation, checked when they are published."""

from streams.errors import Blame
from streams.language.topology import Topology
from streams.runtime.errors import RuntimeFault
from streams.settings import Settings


class OverLimit(RuntimeFault):
    """A pipeline asks for more than this installation allows; `problem` says what, `hint` what to do."""

    blame = Blame.AUTHOR

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(f"{problem} ({hint})")


def check(topology: Topology, settings: Settings) -> None:
    """Check a `limit:` against MILLRACE_EXECUTIONS. Raises OverLimit."""
    if topology.executions > settings.executions:
        raise OverLimit(
            f"{topology.name}: limit: {topology.executions:,} is more than the {settings.executions:,} that runs may have here",
            "lower it, or have the operator raise MILLRACE_EXECUTIONS",
        )
