"""Fixtures that several files of this tier share."""

import socket

import pytest

from tests.integration.support.gateway_world import gateways
from tests.integration.support.town import town

__all__ = ["gateways", "town"]


@pytest.fixture
def unused_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
