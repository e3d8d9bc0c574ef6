"""Run a flow worker that dies when it continues a run whose input says so, as a fault of flow would make it."""

import os
from pathlib import Path
from typing import Any

from agents.__main__ import main
from streams.messages import Start
from streams.runtime.flow import step_runner
from streams.runtime.flow.batching import whole_step

DEADLY = "die"


def _deadly(topology: Any, state: Any, message: Any, now: float) -> Any:
    if isinstance(message, Start) and message.refused is None and message.input.get("text") == DEADLY:
        with Path(os.environ["MILLRACE_DEATHS"]).open("a", encoding="utf-8") as deaths:
            deaths.write("x")
        os._exit(137)
    return whole_step(topology, state, message, now)


if __name__ == "__main__":
    setattr(step_runner, "whole_step", _deadly)  # noqa: B010
    main()
