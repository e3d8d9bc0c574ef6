"""The file in which a worker writes its health, for who runs the machine."""

import contextlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class HealthFile:
    """Replaces one file. A full disk or a missing folder is logged once and is no reason to stop working."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failing = False
        """Whether the failure to write has been logged."""

    def write(self, health: Mapping[str, Any]) -> None:
        """Write the health as JSON; readers never see half of it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(health))
            fresh.replace(self._path)
        except OSError as error:
            if not self._failing:
                log.warning("the health of this worker cannot be written to %s: %s", self._path, error)
            self._failing = True
        else:
            self._failing = False

    def remove(self) -> None:
        """Remove the file, if it is there and can be removed."""
        with contextlib.suppress(OSError):
            self._path.unlink()
