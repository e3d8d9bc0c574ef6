"""The table of parts."""

import pytest

from infra.local.errors import UnknownPart
from infra.local.parts.millrace_processes import FLOW, RECORDER, services
from infra.local.parts.table import BACKEND, select, table


def test_every_part_comes_after_its_needs() -> None:
    """The table can be started from its top to its end."""
    names = [part.name for part in table()]
    assert all(names.index(need) < names.index(part.name) for part in table() for need in part.needs)
    assert tuple(names[: len(BACKEND)]) == BACKEND
    assert names[len(BACKEND) :] == ["apply", "flow", "recorder", "worker", "gateway"]


def test_many_workers_have_names_of_their_own() -> None:
    """More than one worker process is told apart by number."""
    assert [part.name for part in table(2) if part.name.startswith("worker")] == ["worker-1", "worker-2"]


def test_selected_parts_bring_their_needs() -> None:
    """The registry cannot run without its database."""
    assert [part.name for part in select(table(), ["registry", "s3"])] == ["postgres", "registry", "s3"]


def test_an_unknown_part_is_named() -> None:
    """A misspelt part is an error that lists the parts."""
    with pytest.raises(UnknownPart, match="unknown part 'kafak': the parts are kafka, s3,"):
        select(table(), ["kafak"])


def test_services_are_found_by_their_contracts() -> None:
    """A service is hosted because its contract is checked in; flow and recorder have none."""
    assert {"image-blur", "face-detect"} <= set(services())
    assert not {*FLOW, *RECORDER} & set(services())
