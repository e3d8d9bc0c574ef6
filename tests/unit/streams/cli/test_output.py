"""Tables for people."""

import os
import pty
import subprocess
import sys

from streams.cli.output import columns

ROWS = [("a", "short", "a reason that is much longer than any terminal of forty characters"), ("bb", "x", "y")]
_SHOW = f"from streams.cli.output import columns; print(columns({ROWS!r}, ('ID', 'WHAT', 'WHY')))"


def test_a_table_is_whole_where_no_terminal_is() -> None:
    """A pipe gets every character."""
    assert columns(ROWS, ("ID", "WHAT", "WHY")).splitlines()[1] == f"a   short  {ROWS[0][2]}"


def test_a_table_fits_the_terminal() -> None:
    """What does not fit into a line ends with an ellipsis."""
    leader, follower = pty.openpty()
    environ = {**os.environ, "COLUMNS": "40"}
    with subprocess.Popen([sys.executable, "-c", _SHOW], env=environ, stdout=follower) as process:
        os.close(follower)
        said = os.read(leader, 4096).decode()
        process.wait(30)
    os.close(leader)
    lines = said.splitlines()
    assert lines[0] == "ID  WHAT   WHY"
    assert lines[1] == "a   short  a reason that is much longer…"
    assert max(map(len, lines)) == 40
    assert lines[2] == "bb  x      y"
