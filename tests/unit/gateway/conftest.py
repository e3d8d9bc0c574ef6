"""The `gateway` fixture: one gateway in memory for a module of route tests."""

from collections.abc import Iterator

import pytest

from tests.unit.gateway.memory.gateway import GREET, MemoryGateway, memory_gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryGateway]:
    """A gateway in memory with the pipeline `greet`."""
    with memory_gateway(tmp_path_factory.mktemp("home")) as running:
        assert running.define(GREET).status_code == 201
        yield running
