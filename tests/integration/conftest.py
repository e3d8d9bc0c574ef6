"""Fixtures that several files of this tier share."""

import socket
from collections.abc import Generator

import pytest

from tests.integration.support.gateway_world import gateways
from tests.integration.support.shared_runtime import shared_runtime
from tests.integration.support.trainer import await_environment, training_environment

__all__ = ["gateways", "shared_runtime", "training_environment"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the environment for training before a test that needs it. Waiting does not count as the test's time."""
    if "training_environment" in getattr(item, "fixturenames", ()):
        await_environment()
    return (yield)


@pytest.fixture
def unused_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
