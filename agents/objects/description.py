"""The file in which an operator describes a detector: read, checked, and named by its content. Loads nothing of it."""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from agents.objects.words import Background, Form, Layout, Scores, Unit
from streams.errors import Blame, MillraceError
from streams.settings import Settings

SETTING = "MILLRACE_OBJECT_DETECTOR"
USUAL = Path("models") / "object-detect.yaml"
"""Where it is looked for in the data directory, when the setting names none."""


class BadDescription(MillraceError):
    """A detector cannot serve as it is described; the message names the file, says what is wrong, and what to do."""

    blame = Blame.OPERATOR


class Outputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of outputs, where shapes do not tell which is which."""

    boxes: str = ""
    """The only one that counts, where boxes and scores are in one."""
    scores: str = ""
    labels: str = ""


class Pixels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the network takes: (value / divide - mean) / std, for values from 0 to 255."""

    order: str = "rgb"
    channels: str = "first"
    divide: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fit: str = "letterbox"
    fill: int = 114
    """Of the bars of a letterbox."""


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: str
    labels: str | tuple[str, ...]
    size: int | tuple[int, int]
    name: str = ""
    layout: Layout | None = None
    outputs: Outputs = Outputs()
    boxes: Form | None = None
    unit: Unit | None = None
    scores: Scores | None = None
    background: Background | None = None
    overlap: float | None = None
    pixels: Pixels = Pixels()


@dataclass(frozen=True)
class Description:
    """A detector as an operator describes it. What is None is decided by the outputs' shapes and the layout."""

    path: Path
    weights: Path
    name: str
    version: str
    """Twelve hexadecimal digits of the SHA-256 of the weights and of everything else here that makes the answers."""
    labels: tuple[str, ...]
    size: tuple[int, int]
    """Width and height of the network's input."""
    layout: Layout | None
    outputs: Outputs
    boxes: Form | None
    unit: Unit | None
    scores: Scores | None
    background: Background | None
    overlap: float | None
    pixels: Pixels

    def bad(self, what: str, hint: str = "see docs/reference/object-detect.md") -> BadDescription:
        """Return an error that names the file, the problem and what to do about it."""
        return BadDescription(f"{self.path}: {what}; {hint}")


def place() -> Path | None:
    """Return the file that describes the detector; None when no setting names one and the default file does not exist."""
    settings = Settings.read()
    if settings.object_detector:
        return Path(settings.object_detector)
    usual = settings.data / USUAL
    return usual if usual.exists() else None


def read(path: Path) -> Description:
    """Read a description from a YAML or JSON file. Raises BadDescription."""
    try:
        text = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), _Text)
    except OSError as error:
        raise BadDescription(f"{path}: cannot be read: {error.strerror or error}") from error
    except msgspec.ValidationError as error:
        raise BadDescription(f"{path}: {error}; see docs/reference/object-detect.md") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an invalid date is a plain ValueError
        raise BadDescription(f"{path}: is neither YAML nor JSON: {error}") from error
    weights = path.parent / text.file
    description = Description(
        path=path,
        weights=weights,
        name=text.name or weights.stem,
        version=_version(path, weights, text),
        labels=_labels(path, text.labels),
        size=(text.size, text.size) if isinstance(text.size, int) else text.size,
        layout=text.layout,
        outputs=text.outputs,
        boxes=text.boxes,
        unit=text.unit,
        scores=text.scores,
        background=text.background,
        overlap=text.overlap,
        pixels=text.pixels,
    )
    _check(description)
    return description


def _check(description: Description) -> None:
    if not description.labels or not all(description.labels):
        raise description.bad("labels must be one and more texts, none of them empty")
    double = sorted({label for label in description.labels if description.labels.count(label) > 1})
    if double:
        raise description.bad(f"labels: {', '.join(double)} is there more than once")
    if not all(8 <= side <= 4096 for side in description.size):
        raise description.bad(
            f"size: {description.size[0]} x {description.size[1]} is not within 8 to 4096 pixels a side"
        )
    if description.overlap is not None and not 0 < description.overlap <= 1:
        raise description.bad(f"overlap: {description.overlap:g} is not above 0 and at most 1")
    pixels = description.pixels
    words = {"order": ("rgb", "bgr"), "channels": ("first", "last"), "fit": ("letterbox", "stretch")}
    for field, known in words.items():
        if getattr(pixels, field) not in known:
            raise description.bad(f"pixels.{field}: {getattr(pixels, field)!r} is not {' or '.join(known)}")
    numbers = pixels.divide, *pixels.mean, *pixels.std
    if not all(map(math.isfinite, numbers)) or pixels.divide <= 0 or min(pixels.std) <= 0:
        raise description.bad("pixels: divide and std must be above 0, and none of their numbers without an end")
    if not 0 <= pixels.fill <= 255:
        raise description.bad(f"pixels.fill: {pixels.fill} is not within 0 to 255")


def _labels(path: Path, labels: str | tuple[str, ...]) -> tuple[str, ...]:
    """Labels, from the file that holds one a line, where a file is named."""
    if not isinstance(labels, str):
        return labels
    file = path.parent / labels
    try:
        return tuple(line.strip() for line in file.read_text(encoding="utf-8").rstrip().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise BadDescription(f"{path}: labels: {file} cannot be read: {error}") from error


def _version(path: Path, weights: Path, text: Any) -> str:
    try:
        stat = weights.stat()
        sha256 = _sha256(weights, stat.st_size, stat.st_mtime_ns)
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise BadDescription(f"{path}: file: {weights} cannot be read: {reason}") from error
    content = msgspec.json.encode(
        [sha256, _labels(path, text.labels), msgspec.structs.replace(text, file="", labels=())]
    )
    return hashlib.sha256(content).hexdigest()[:12]


@lru_cache(maxsize=8)
def _sha256(path: Path, size: int, changed: int) -> str:  # noqa: ARG001  # part of the key: a changed file is read again
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
