"""What a child process runs: services by module and name, since a function itself cannot be sent to it."""

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from streams.service import call_context
from streams.service.invocation import BadService, Invocation, Service


def call(
    module: str, name: str, record: Mapping[str, Any], objects: Mapping[str, bytes], key: str = "", bundle: str = ""
) -> Invocation:
    """Run `Service.invoke` of the service `name` in `module`, in a child of the pool.

    `key` is what `call_context.key` returns, `bundle` the folder of the model that serves this call; empty for the shipped one.
    """
    with call_context.known_as(key, bundle):
        return find(module, name).invoke(record, objects)


async def wait(
    module: str, name: str, record: Mapping[str, Any], objects: Mapping[str, bytes], key: str = "", bundle: str = ""
) -> Invocation:
    """Run `Service.wait` of the service `name` in `module`, in the child for services that wait; arguments as in `call`."""
    with call_context.known_as(key, bundle):
        return await find(module, name).wait(record, objects)


def load(module: str, name: str, bundle: str) -> None:
    """Load the models of a service in this process, so that no call waits for that. Raises what loading them raises."""
    service = find(module, name)
    with call_context.known_as("", bundle):
        if service.slot is not None:
            service.slot.loaded()
        if service.loads is not None:
            service.loads()


async def load_waiting(module: str, name: str, bundle: str) -> None:
    """Do as `load`, in the child for services that wait."""
    load(module, name, bundle)


@cache
def find(module: str, name: str) -> Service[Any, Any]:
    """Return the service `name` that a module defines. Raises ImportError, or BadService when it defines none of that name."""
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, Service) and value.name == name:
            return value
    raise BadService(f"{module} defines no service {name!r}")
