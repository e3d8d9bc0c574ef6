"""Discovery of the services that modules define, in a process of its own: a worker never imports OpenCV or a model's library.

python -m streams.runtime.worker.hosting.discover agents.services.image_blur agents.services.image_crop   (prints JSON)
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from schemas.contracts import Contract
from streams.errors import Blame
from streams.runtime.errors import RuntimeFault
from streams.service.invocation import Service
from streams.service.model_status import ModelStatus, summarise


class BadModule(RuntimeFault):
    """A module cannot be imported, or defines no service; the message says why."""

    blame = Blame.AUTHOR


@dataclass(frozen=True)
class DiscoveredService:
    """A service that a module defines, and what it says of itself."""

    module: str
    contract: Contract
    models: tuple[ModelStatus, ...]
    """The models that it uses, as they are shipped; with a slot, the first one is the shipped model of the slot."""
    preload: tuple[str, ...]
    """The modules that it needs beside its own."""
    waits: bool = False
    """Whether its function is `async`."""
    check: str = ""
    """Why it cannot serve here; empty when it can."""
    remark: str = ""
    """What users should know of it although it serves; empty when there is nothing."""
    slot: bool = False
    """Whether its model can be replaced while it serves."""
    loads: bool = False
    """Whether it has anything to load before its first call."""
    batch: int = 1
    """Calls that a process takes together when many wait."""
    many: bool = False
    """Whether it has a function that takes many inputs in one call."""
    repeatable: bool = False
    """Whether calling it again does no harm."""

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.contract.name

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules to import before its first call."""
        return (self.module, *self.preload)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values; `from_json` reads them."""
        return {
            **vars(self),
            "contract": self.contract.to_json(),
            "models": [asdict(model) for model in self.models],
            "preload": list(self.preload),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Return the service of these JSON values."""
        return cls(
            **{
                **fields,
                "contract": Contract.from_json(fields["contract"]),
                "models": tuple(ModelStatus(**status) for status in fields["models"]),
                "preload": tuple(fields["preload"]),
            }
        )


def problem_of(check: str, models: Sequence[ModelStatus], *, slot: bool) -> str:
    """Return why a service cannot serve at all; empty when it can.

    A service can do without some of its models, but not without all of them, nor without the one in its slot.
    """
    needed = models[:1] if slot else models
    missing = bool(needed) and not any(model.ready for model in needed)
    return check or (summarise(models).problem or "" if missing else "")


async def discover(modules: Sequence[str]) -> list[DiscoveredService]:
    """Return the services of these modules, sorted by name. Raises BadModule."""
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
    return [DiscoveredService.from_json(fields) for fields in json.loads(output)]


def services(module: str) -> list[DiscoveredService]:
    """Return the services that one module defines itself. Raises BadModule when there are none, and ImportError."""
    discovered = [
        DiscoveredService(
            module,
            value.contract,
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
    if not discovered:
        raise BadModule(f"the module {module} defines no service: decorate a function with @service")
    return discovered


def main(modules: Sequence[str]) -> int:
    """Print the services of modules as JSON."""
    discovered = sorted(
        (service for module in modules for service in services(module)), key=lambda service: service.name
    )
    sys.stdout.write(json.dumps([service.to_json() for service in discovered]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
