"""Define a service whose model is one word."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from streams.models import Bundle, check
from streams.service.contract import Doc, Record
from streams.service.declaration import service
from streams.service.model_slot import Slot

FOLDER = Path(os.environ.get("ORACLE_MODEL") or Path(__file__).parent / "oracle_model")


class Question(Record):
    seconds: Annotated[float, Doc("How long it thinks.", minimum=0)] = 0.0


class Saying(Record):
    word: Annotated[str, Doc("What it says.")]
    model: str
    model_version: str


@dataclass(frozen=True)
class Voice:
    """A loaded model."""

    word: str
    bundle: Bundle


def _load(folder: Path) -> Voice:
    found = check(folder)
    word = (folder / "word.txt").read_text().strip()
    if word == "mumble":
        raise ValueError("nobody understands this model")
    return Voice(word, found)


VOICE = Slot(FOLDER, _load)


@service("oracle", version="1.0.0", slot=VOICE)
def oracle(request: Question) -> Saying:
    """Says its word."""
    time.sleep(request.seconds)
    voice = VOICE.loaded()
    return Saying(word=voice.word, model=voice.bundle.name, model_version=voice.bundle.version)
