"""What the catalogue says about the detector: whether one is described, and whether it works. Loads none of it here."""

import json
import subprocess
import sys

from agents.objects.description import SETTING, USUAL, BadDescription, place, read
from streams.service.model_status import ModelStatus
from streams.settings import Settings

_SECONDS = 120.0
"""For loading a network and running it once."""


def detector_status() -> tuple[ModelStatus, ...]:
    """The detector as it is described."""
    path = place()
    if path is None:
        detail = (
            f"there is none, so no call is taken: describe one in {Settings.read().data / USUAL}, or in the file "
            f"that {SETTING} names; docs/reference/object-detect.md says how"
        )
        return (ModelStatus("a detector", "", ready=False, detail=detail),)
    try:
        made = read(path)
    except BadDescription as error:
        return (ModelStatus("the detector", "", ready=False, detail=str(error)),)
    return (ModelStatus(made.name, made.version, ready=True),)


def works() -> str:
    """Why a detector that is described cannot serve; empty when it can, or when `detector_status` says enough.

    It is loaded and run once, in a process of its own: a network that ends its process ends nothing else.
    """
    path = place()
    if path is None or not all(one.ready for one in detector_status()):
        return ""
    command = [sys.executable, "-m", "agents.objects.probe", str(path)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{path}: its network took longer than {_SECONDS:g} s for one picture"
    if made.returncode:
        last = made.stderr.strip().rpartition("\n")[2]
        return f"{path}: its network ends the process that loads it (status {made.returncode}): {last}"
    problem: str = json.loads(made.stdout)["problem"]
    return problem
