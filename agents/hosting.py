"""From names on a command line to a running worker process."""

import asyncio
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from difflib import get_close_matches

import uvloop
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from agents.discovery import registry
from streams.errors import Blame, MillraceError
from streams.runtime import logs
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import RuntimeFault, Stuck
from streams.runtime.worker.hosting.discover import BadModule
from streams.runtime.worker.plan import Background, Recorder, WorkerPlan
from streams.runtime.worker.worker import Worker
from streams.settings import SettingError, Settings

log = logging.getLogger("agents")

AGENTS = ("flow", "recorder", "retry", "models")
"""Agents that a worker can host beside services."""
SERVICES = "services"
"""Name that stands for every service."""
STUCK = 3
"""Exit status of a worker that makes no progress."""
_EXIT_WITHIN = 5.0


class UnknownName(MillraceError, ValueError):
    """Raised for a name that is neither a service nor an agent; the message lists the known ones."""

    blame = Blame.CALLER


def plan(names: Sequence[str]) -> WorkerPlan:
    """Resolve names; no name means everything, `services` every service. Raises UnknownName."""
    modules = registry()
    wanted = [module for name in names or (SERVICES, *AGENTS) for module in (modules if name == SERVICES else (name,))]
    hosted: list[str] = []
    for name in wanted:
        if name in modules:
            hosted.append(modules[name])
        elif "." in name:
            hosted.append(name)
        elif name not in AGENTS:
            known = [*modules, SERVICES, *AGENTS]
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UnknownName(f"there is no service or agent {name!r}: {hint}")
    return WorkerPlan(
        modules=tuple(dict.fromkeys(hosted)),
        flow="flow" in wanted,
        retry="retry" in wanted,
        recorder=_recorder if "recorder" in wanted else None,
        models=_models if "models" in wanted else None,
    )


def _recorder(connections: Connections) -> Recorder:
    from agents.workers.drift import DriftWatch  # imported here, because only some agents need PostgreSQL's client
    from agents.workers.notifier import Notifier
    from agents.workers.recorder import Recorder as Real
    from agents.workers.sweeper import Sweeper

    postgres = connections.settings.postgres
    return Real(connections, Notifier(postgres), DriftWatch(postgres, connections.store), Sweeper(connections))


def _models(connections: Connections) -> Background:
    from agents.workers.model_watcher import Watcher

    return Watcher(connections)


def serve(names: Sequence[str], *, quiet: bool = False) -> int:
    """Run a worker until a signal or a failure, and return its exit status (see `agents.__main__`)."""
    logs.begin(logging.WARNING if quiet else logging.INFO)
    try:
        wanted, settings = plan(names), Settings.read()
    except (UnknownName, SettingError) as error:
        log.error("%s", error)
        return 2
    status = _served(settings, wanted)
    # Exit without waiting for threads of libraries.
    guard = threading.Timer(_EXIT_WITHIN, os._exit, (status,))
    guard.daemon = True
    guard.start()
    return status


def _served(settings: Settings, wanted: WorkerPlan) -> int:
    # Faust creates event loops in its threads, which must be of this kind too.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_run(settings, wanted))
    except Stuck as error:
        log.error("stuck, to be started again: %s", error)
        return STUCK
    except (BadModule, SettingError) as error:
        log.error("%s", error)
        return 2
    except (KafkaError, KafkaException, RuntimeFault, OSError) as error:
        log.error("cannot serve: %s: %s", type(error).__name__, error)
        return 1
    finally:
        loop.run_until_complete(_let_go())
    return 0


async def _let_go() -> None:
    """Cancel tasks that libraries left behind; `asyncio.run` would wait for them forever."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=2)


def _show_stacks() -> None:
    """Dump the stacks of all tasks and threads, to find out why a worker makes no progress."""
    for task in asyncio.all_tasks():
        task.print_stack(limit=12, file=sys.stderr)
    faulthandler.dump_traceback(sys.stderr)


async def _run(settings: Settings, wanted: WorkerPlan) -> None:
    worker = Worker(settings, wanted)
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(worker.run(lambda: log.info("ready")))

    def stop() -> None:
        worker.stop()
        # A second signal, or one before the worker serves, ends it at once.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGUSR1, _show_stacks)
    try:
        await running
    except asyncio.CancelledError:
        log.warning("stopped at once")
