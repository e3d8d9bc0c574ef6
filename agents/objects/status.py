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
    """Describe the detector for the catalogue of services: its name and version, or why there is none."""
    path = place()
    if path is None:
        detail = (
            f"there is none, so no call is taken: describe one in {Settings.read().data / USUAL}, or in the file "
            f"that {SETTING} names; docs/reference/object-detect.md says how"
        )
        return (ModelStatus("a detector", "", ready=False, detail=detail),)
    try:
        description = read(path)
    except BadDescription as error:
        return (ModelStatus("the detector", "", ready=False, detail=str(error)),)
    return (ModelStatus(description.name, description.version, ready=True),)


def works() -> str:
    """Why a detector that is described cannot serve; empty when it can, or when `detector_status` says enough.

    It is loaded and run once, in a process of its own: a network that ends its process ends nothing else.
    """
    path = place()
    if path is None or not all(status.ready for status in detector_status()):
        return ""
    command = [sys.executable, "-m", "agents.objects.probe", str(path)]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{path}: its network took longer than {_SECONDS:g} s for one picture"
    if process.returncode:
        last = process.stderr.strip().rpartition("\n")[2]
        return f"{path}: its network ends the process that loads it (status {process.returncode}): {last}"
    problem: str = json.loads(process.stdout)["problem"]
    return problem
