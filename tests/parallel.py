"""How tests are spread over the processes of `pytest -n`: a module stays in one process, long ones begin first, none is lost.

These hooks are imported into tests/conftest.py. pytest-xdist does the rest.
"""

from collections.abc import Generator, Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.sharing import Keeper, shared_folder, turn

ORDER = (
    "tests/integration/training/",
    "tests/chaos/",
    "tests/acceptance/",
    "tests/integration/stack/",
    "tests/integration/",
    "tests/property/",
    "",
)
"""What begins first: what takes longest. The last is what fills the gaps."""

TOGETHER = {
    # They share the fixture `breakable`.
    "breakable stack": (
        "tests/chaos/test_broker.py",
        "tests/chaos/test_broker_frozen.py",
        "tests/chaos/test_defined_amid_pauses.py",
        "tests/integration/gateway/test_outages.py",
        "tests/integration/history/test_database_unavailable.py",
    ),
    # Each training uses all cores: two at a time take no less time than one after the other.
    "trainings": ("tests/integration/training/",),
    # `apply --prune` removes what others applied, and several look at everything that the one system has.
    "whole system": tuple(
        f"tests/acceptance/test_{name}.py"
        for name in (
            "cli",
            "cli_replay",
            "cli_versions",
            "http_nodes",
            "http_pipelines",
            "http_streams",
            "kafka_edge",
            "loan",
            "producers",
        )
    ),
}
"""Modules that one process runs one after another."""

_KEEPER = pytest.StashKey[Keeper]()
_LEDGER = pytest.StashKey["Ledger"]()


class Modules(LoadScopeScheduling):  # type: ignore[misc]  # xdist's classes have no types that mypy reads
    """Hand out whole modules. The first process starts with the shortest kind, the others with the longest.

    So computing (unit tests) and waiting (tests with real parts) overlap from the beginning.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        choose = max if node.gateway.id == "gw0" else min
        self.workqueue.move_to_end(choose(self.workqueue, key=rank), last=False)
        super()._assign_work_unit(node)


class Ledger:
    """Compare the tests that were collected with those that were run."""

    def __init__(self) -> None:
        self.collected: set[str] = set()
        self.reported: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        """Note what a process has collected."""
        self.collected.update(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test of which something was reported."""
        self.reported.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Report each test that was not run as failed, unless the run was to end early."""
        lost = sorted(self.collected - self.reported)
        if not lost or session.shouldfail or session.shouldstop or session.exitstatus not in (0, 1):
            return
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for nodeid in lost:
            location = (nodeid.partition("::")[0], None, nodeid.partition("::")[2])
            text = "collected, but not run by any process"
            report = pytest.TestReport(nodeid, location, {}, outcome="failed", longrepr=text, when="call")
            session.config.hook.pytest_runtest_logreport(report=report)


def group(nodeid: str) -> str:
    """Return the name of what is run in one process: a test's module, or one of `TOGETHER`."""
    module = nodeid.partition("::")[0]
    return next((name for name, prefixes in TOGETHER.items() if module.startswith(prefixes)), module)


def rank(name: str) -> int:
    """Return the place of a group in `ORDER`, from 0."""
    path = TOGETHER.get(name, (name,))[0]
    return next(place for place, prefix in enumerate(ORDER) if path.startswith(prefix))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Modules:
    """Return our scheduler, whatever `--dist` says: fixtures of modules are too dear to be made in every process."""
    return Modules(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process where to ask for what all of them share."""
    config = node.config
    if _KEEPER not in config.stash:
        config.stash[_KEEPER] = Keeper()
        config.stash[_LEDGER] = Ledger()
        config.pluginmanager.register(config.stash[_LEDGER])
    node.workerinput["shared"] = str(config.stash[_KEEPER].folder)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what the processes shared, when all of them have ended."""
    keeper = session.config.stash.get(_KEEPER, None)
    if keeper is None:
        return
    for failure in keeper.stop():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.get_terminal_writer().line(f"\na shared resource failed:\n{failure}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test that is marked `alone` run with no other test of its folder beside it. Waiting does not count as its time."""
    folder = shared_folder(item.config)
    if folder is None:
        return (yield)
    with turn(folder, item.path.parent.name, alone=item.get_closest_marker("alone") is not None):
        return (yield)
