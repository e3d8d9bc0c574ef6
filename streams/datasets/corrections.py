"""From people's corrections to the next version of a dataset. Pure: the same corrections always give the same version."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from schemas.refs import Ref
from streams.datasets.manifest import DatasetFile, Manifest, manifest

FOLDER = "corrections"
LICENCE = "an input of this installation; whoever sent it decides what it may be used for"


@dataclass(frozen=True)
class Correction:
    """What counts of a prediction that a person put right."""

    prediction: str
    service: str
    model: str
    """Name and version."""
    said: Any
    label: Any
    """What it should have been."""
    author: str
    at: str
    kept: Ref | None
    """What was kept of its input."""
    inputs: tuple[Ref, ...] = ()
    """Every object that its run was given: what the kept one may have been cut from."""

    @property
    def source(self) -> str:
        """Where an example comes from, as the manifest says it."""
        text = f"prediction {self.prediction} of {self.service}: {self.model} said {_text(self.said)}"
        return f"{text}, {self.author} {_text(self.label)} at {self.at}"


@dataclass(frozen=True)
class Left:
    """A correction that gives no example, and why."""

    prediction: str
    reason: str


@dataclass(frozen=True)
class Extended:
    """A version with corrections."""

    manifest: Manifest
    base: Manifest
    added: int
    """Examples."""
    left: tuple[Left, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """How many were left out, by reason."""
        return dict(sorted(Counter(correction.reason for correction in self.left).items()))


def extend(
    base: Manifest, corrections: Sequence[Correction], prints: Mapping[str, frozenset[str]], held: frozenset[str]
) -> Extended:
    """The version of `base` and these corrections, oldest first; of several about one input the last one counts.

    `prints`: what each object is known by, by its SHA-256; a kept one that is missing there is no longer kept. `held`: what the
    test pictures of the base are known by: neither they nor what was made of them is added.
    """
    files: dict[str, tuple[Correction, DatasetFile]] = {}
    left: list[Left] = []
    for correction in corrections:
        reason = _unfit(correction, prints, held)
        if reason or correction.kept is None:
            left.append(Left(correction.prediction, reason))
            continue
        if correction.kept.sha256 in files:
            left.append(
                Left(files.pop(correction.kept.sha256)[0].prediction, "a later correction is of the same input")
            )
        name = f"{base.name}/{FOLDER}/{quote(_text(correction.label), safe='')}/{correction.kept.sha256}"
        files[correction.kept.sha256] = (
            correction,
            DatasetFile(name, correction.kept.sha256, LICENCE, correction.source),
        )
    dataset = manifest(base.name, (*base.files, *(file for _, file in files.values())))
    return Extended(dataset, base, len(files), tuple(left))


def examples(dataset: Manifest) -> Iterator[tuple[Any, DatasetFile]]:
    """The label and the file of every correction that a version has, sorted by name; a word that is JSON gives its value."""
    for file in dataset.files:
        folder, _, name = file.name.removeprefix(f"{dataset.name}/").partition("/")
        if folder == FOLDER and "/" in name:
            yield _value(unquote(name.partition("/")[0])), file


def published(dataset: Manifest) -> Manifest:
    """The version without its corrections."""
    corrected = {file for _, file in examples(dataset)}
    return manifest(
        dataset.name, (published_file for published_file in dataset.files if published_file not in corrected)
    )


def _unfit(correction: Correction, prints: Mapping[str, frozenset[str]], held: frozenset[str]) -> str:
    if correction.kept is None:
        return "nothing of its input was kept"
    if correction.kept.sha256 not in prints:
        return "what was kept of its input is no longer there"
    if prints[correction.kept.sha256] & held:
        return "its input is a test picture of the dataset"
    if any(prints.get(ref.sha256, {ref.sha256}) & held for ref in correction.inputs):
        return "its input was made of a test picture of the dataset"
    return ""


def _text(label: Any) -> str:
    return label if isinstance(label, str) else json.dumps(label)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
