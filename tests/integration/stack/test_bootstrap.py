"""The script that makes the virtual environment, on a machine without uv."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BOOTSTRAP = Path(__file__).parents[3] / "infra" / "local" / "bootstrap"


def test_uv_that_cannot_be_fetched(tmp_path: Path) -> None:
    """What the shell tells pip of other places does not count here; that uv is not to be had is said with what to do."""
    place = tmp_path / "infra" / "local"
    place.mkdir(parents=True)
    shutil.copy(BOOTSTRAP, place)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "rm"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    (programs / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    environ = {"PATH": str(programs), "PIP_USER": "1", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    said = subprocess.run(
        ["/bin/sh", place / "bootstrap"], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert said.returncode == 4, said.stderr
    assert "--user" not in said.stderr
    assert said.stderr.endswith("Try again, or install uv yourself\n")
