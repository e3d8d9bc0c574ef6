"""From names on a command line to a running worker process."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

import uvloop
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from agents.__main__ import AGENTS, STUCK
from agents.discovery import registry
from agents.recorder import Recorder
from streams.runtime.discover import BadModule
from streams.runtime.errors import RuntimeFault, Stuck
from streams.runtime.worker import Plan, Worker
from streams.settings import SettingError, Settings

log = logging.getLogger("agents")


class UnknownName(ValueError):
    """There is neither a service nor an agent of this name; the message says what there is."""


def plan(names: Sequence[str]) -> Plan:
    """What these names mean; none of them means everything. Raises UnknownName."""
    modules = registry()
    wanted = list(names) or [*modules, *AGENTS]
    hosted: list[str] = []
    for name in wanted:
        if name in modules:
            hosted.append(modules[name])
        elif "." in name:
            hosted.append(name)
        elif name not in AGENTS:
            known = [*modules, *AGENTS]
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UnknownName(f"there is no service or agent {name!r}: {hint}")
    return Plan(
        modules=tuple(dict.fromkeys(hosted)),
        flow="flow" in wanted,
        retry="retry" in wanted,
        recorder=Recorder if "recorder" in wanted else None,
    )


def serve(names: Sequence[str], *, quiet: bool = False) -> int:
    """Runs a worker until a signal or a failure; its exit status (see `agents.__main__`)."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for noisy in ("faust", "mode", "aiokafka", "httpx", "botocore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        wanted, settings = plan(names), Settings.read()
    except (UnknownName, SettingError) as error:
        log.error("%s", error)
        return 2
    # Faust makes loops of its own in its threads: they are to be of this kind too.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        asyncio.run(_run(settings, wanted))
    except Stuck as error:
        log.error("stuck, to be started again: %s", error)
        return STUCK
    except BadModule as error:
        log.error("%s", error)
        return 2
    except (KafkaError, KafkaException, RuntimeFault, OSError) as error:
        log.error("cannot serve: %s: %s", type(error).__name__, error)
        return 1
    return 0


async def _run(settings: Settings, wanted: Plan) -> None:
    worker = Worker(settings, wanted)
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(worker.run(lambda: log.info("ready")))

    def stop() -> None:
        worker.stop()
        # A second signal, or one before it serves, does not wait.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        log.warning("stopped at once")
