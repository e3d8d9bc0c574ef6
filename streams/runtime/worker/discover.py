"""What services modules define, asked in a process of its own: a worker itself never imports OpenCV or a model's library.

python -m streams.runtime.worker.discover agents.services.image_blur agents.services.image_crop   (prints JSON)
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from streams.errors import Blame
from streams.runtime.errors import RuntimeFault
from streams.service.invocation import Service
from streams.service.model_status import ModelStatus, summarise


class BadModule(RuntimeFault):
    """A module of services cannot be imported, or defines none; the message says why."""

    blame = Blame.AUTHOR


@dataclass(frozen=True)
class DiscoveredService:
    """A service that a module defines; `preload` are the modules that it needs beside its own."""

    module: str
    contract: dict[str, Any]
    models: tuple[ModelStatus, ...]
    """Those that it uses as they are shipped; with a slot, the first one is the one that is shipped for that."""
    preload: tuple[str, ...]
    waits: bool = False
    """Whether its function is `async`."""
    check: str = ""
    """Why it cannot serve here."""
    remark: str = ""
    """What is to be known of it although it serves."""
    slot: bool = False
    """Whether its model can be exchanged while it serves."""
    loads: bool = False
    """Whether it has anything to load before its first call."""
    batch: int = 1
    """Calls that a process takes together when many wait."""
    many: bool = False
    """Whether it has a function over many."""
    repeatable: bool = False
    """Whether running it again does no harm."""


def unable(check: str, models: Sequence[ModelStatus], *, slot: bool) -> str:
    """Why a service cannot serve at all; empty when it can. It does without some of its models, but not without any, or the one in its slot."""
    needed = models[:1] if slot else models
    missing = bool(needed) and not any(one.ready for one in needed)
    return check or (summarise(models).problem or "" if missing else "")


async def discover(modules: Sequence[str]) -> list[DiscoveredService]:
    """The services of these modules, by name. Raises BadModule."""
    if not modules:
        return []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        *modules,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise BadModule(errors.decode(errors="replace").strip()[-2000:])
    return [
        DiscoveredService(
            **{
                **one,
                "models": tuple(ModelStatus(**status) for status in one["models"]),
                "preload": tuple(one["preload"]),
            }
        )
        for one in json.loads(output)
    ]


def services(module: str) -> list[DiscoveredService]:
    """The services that one module defines itself. Raises BadModule when there are none, ImportError."""
    found = [
        DiscoveredService(
            module,
            value.contract.to_json(),
            value.model_status(),
            value.preload,
            value.waits,
            value.check() or "",
            value.remark() or "",
            value.slot is not None,
            value.loads is not None,
            value.batch,
            value.many is not None,
            value.repeatable or value.deterministic,
        )
        for value in vars(importlib.import_module(module)).values()
        if isinstance(value, Service) and value.function.__module__ == module
    ]
    if not found:
        raise BadModule(f"the module {module} defines no service: decorate a function with @service")
    return found


def main(modules: Sequence[str]) -> int:
    """Prints the services of modules as JSON."""
    found = [asdict(one) for module in modules for one in services(module)]
    sys.stdout.write(json.dumps(sorted(found, key=lambda one: one["contract"]["name"])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
