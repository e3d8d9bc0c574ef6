"""Lists as JSON, as tables, and without any entry."""

import os
import pty
import subprocess
import sys

import pytest

from streams.cli.output import Output, columns, emit_list

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


def test_a_list_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get whole documents, not the cells of the table."""
    emit_list(Output.JSON, [{"id": "a", "size": 1}, {"id": "ü"}], ("ID",), [("a",), ("ü",)], "there are no letters")
    assert capsys.readouterr() == ('{"id": "a", "size": 1}\n{"id": "ü"}\n', "")


def test_a_list_is_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row is below the titles of its columns."""
    emit_list(Output.TEXT, [{"id": "a"}], ("ID", "SIZE"), [("a", "1")], "there are no letters")
    assert capsys.readouterr() == ("ID  SIZE\na   1\n", "")


def test_an_empty_list_is_a_sentence_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing goes to stdout, where programs read: no title, no empty line."""
    emit_list(Output.TEXT, [], ("ID", "SIZE"), [], "there are no letters")
    assert capsys.readouterr() == ("", "millrace: there are no letters\n")


def test_an_empty_list_as_json_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """A program sees the end of the output; it needs no sentence."""
    emit_list(Output.JSON, [], ("ID", "SIZE"), [], "there are no letters")
    assert capsys.readouterr() == ("", "")
