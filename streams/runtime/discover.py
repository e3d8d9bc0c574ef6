"""What services a module defines, asked in a pool child: a worker itself never imports OpenCV or a model's library."""

import importlib
from dataclasses import dataclass
from typing import Any

from streams.service import Service


@dataclass(frozen=True)
class Found:
    """A service that a module defines. `models` are (name, version, ready, detail)."""

    module: str
    contract: dict[str, Any]
    models: tuple[tuple[str, str, bool, str], ...]


def discover(modules: tuple[str, ...]) -> list[Found]:
    """The services of these modules, by name. Raises ImportError."""
    found = {}
    for module in modules:
        for value in vars(importlib.import_module(module)).values():
            if isinstance(value, Service) and value.function.__module__ == module:
                models = tuple((one.name, one.version, one.ready, one.detail) for one in value.model_status())
                found[value.name] = Found(module, value.contract.to_json(), models)
    return [found[name] for name in sorted(found)]
