"""Free loopback ports."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.home.ports import Ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    """A port on which nobody listened a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_the_preferred_port_is_taken_when_it_is_free(tmp_path: Path, free: int) -> None:
    """A name gets the port it prefers, and keeps it."""
    with Ports(tmp_path / "ports.json", {"a": free}) as ports:
        assert (ports["a"], ports["a"]) == (free, free)


def test_a_taken_port_is_answered_by_another(tmp_path: Path, taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else's port is left to them, and that is said."""
    with Ports(tmp_path / "ports.json", {"a": taken}) as ports:
        port = ports["a"]
    assert port != taken
    assert is_free(port)
    assert f"a: port {taken} is taken, using {port}" in capsys.readouterr().err


def test_two_names_never_share_a_port(tmp_path: Path, free: int) -> None:
    """A port given to one name is not given to another, though nobody listens yet."""
    with Ports(tmp_path / "ports.json", {"a": free, "b": free}) as ports:
        assert ports["a"] != ports["b"]


def test_ports_are_remembered(tmp_path: Path, free: int) -> None:
    """The next stack of a home has the addresses of the last one, before any preference."""
    with Ports(tmp_path / "ports.json", {}) as first:
        port = first["a"]
    with Ports(tmp_path / "ports.json", {"a": free}) as second:
        assert second["a"] == port


@pytest.mark.skipif(sys.platform != "linux", reason="ports are reserved between stacks on Linux only")
def test_a_chosen_port_is_left_alone_by_other_stacks(tmp_path: Path, free: int) -> None:
    """While its part does not listen, as during a restart, no other stack takes the port; after `close` one may."""
    with Ports(tmp_path / "first.json", {"a": free}) as first, Ports(tmp_path / "second.json", {"a": free}) as second:
        assert first["a"] == free
        assert second["a"] != free
    with Ports(tmp_path / "third.json", {"a": free}) as third:
        assert third["a"] == free


def test_a_port_asked_for_comes_before_a_remembered_one(tmp_path: Path, free: int) -> None:
    """What the user asks for now counts more than what was last time."""
    with Ports(tmp_path / "ports.json", {}) as first:
        assert first["a"] != free
    with Ports(tmp_path / "ports.json", {}) as second:
        second.ask("a", free)
        assert second["a"] == free


def test_a_port_lost_to_somebody_is_renewed(tmp_path: Path, free: int) -> None:
    """Only a port that is in use now is given up."""
    with Ports(tmp_path / "ports.json", {"a": free}) as ports:
        assert ports["a"] == free
        assert not ports.renew("a")
        with socket.create_server(("127.0.0.1", free)):
            assert ports.renew("a")
        assert ports["a"] != free


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", '{"a": "x"}'])
def test_a_spoilt_memory_costs_nothing(tmp_path: Path, text: str) -> None:
    """A file that cannot be read leads to other ports, not to an error."""
    (tmp_path / "ports.json").write_text(text)
    with Ports(tmp_path / "ports.json", {}) as ports:
        assert is_free(ports["a"])
