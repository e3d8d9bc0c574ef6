"""A test that takes too long fails, also one with an event loop, and shows what each of its tasks waited for.

pytest-timeout raises its failure wherever the main thread happens to be. In a loop that is some task or other, which
then ends with it, and the test goes on for ever. Here the loop is stopped instead, so that who runs it fails.
"""

import asyncio
import signal
import sys
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, object, object]:
    """Puts a handler of its own before the one that pytest-timeout has just set."""
    done = yield
    usual = signal.getsignal(signal.SIGALRM)
    if callable(usual):

        def handle(number: int, frame: Any) -> None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                usual(number, frame)
                return
            sys.stderr.write(
                f"{item.nodeid} took longer than {settings.timeout:g} s, and its event loop is stopped. Its tasks:\n"
            )
            for task in asyncio.all_tasks(loop):
                task.print_stack(file=sys.stderr)
            loop.stop()

        signal.signal(signal.SIGALRM, handle)
    return done
