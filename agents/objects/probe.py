"""Tries a detector and says what is wrong with it, for a process of its own.

python -m agents.objects.probe DESCRIPTION   (prints JSON)
"""

import json
import sys
from pathlib import Path

from agents.objects.description import BadDescription, read
from agents.objects.detector import Detector


def main(path: str) -> int:
    """Print the layout by which the outputs are read, or the problem, as JSON; return the exit status 0."""
    try:
        result = {"problem": "", "layout": Detector(read(Path(path))).reading.layout}
    except BadDescription as error:
        result = {"problem": str(error)}
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
