"""Build the next version of a dataset from people's corrections. Pure: equal corrections give the same version."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from schemas.refs import Ref
from streams.datasets.manifest import DatasetFile, Manifest, manifest

FOLDER = "corrections"
LICENCE = "an input of this installation; its sender decides what it may be used for"


@dataclass(frozen=True)
class Correction:
    """A prediction that a person corrected."""

    prediction: str
    service: str
    model: str
    """Name and version of the model."""
    said: Any
    label: Any
    """The right answer."""
    author: str
    at: str
    kept: Ref | None
    """The stored part of its input; None if nothing was stored."""
    inputs: tuple[Ref, ...] = ()
    """Every object of its run's input; the stored one may have been cut from one of them."""

    @property
    def source(self) -> str:
        """The source of the example, for the manifest."""
        text = f"prediction {self.prediction} of {self.service}: {self.model} said {_text(self.said)}"
        return f"{text}, {self.author} {_text(self.label)} at {self.at}"


@dataclass(frozen=True)
class Left:
    """A correction that cannot be used as an example, and why."""

    prediction: str
    reason: str


@dataclass(frozen=True)
class Extended:
    """A dataset version with corrections."""

    manifest: Manifest
    base: Manifest
    added: int
    """Number of added examples."""
    left: tuple[Left, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """The number of corrections that were left out, by reason."""
        return dict(sorted(Counter(correction.reason for correction in self.left).items()))


def extend(
    base: Manifest, corrections: Sequence[Correction], prints: Mapping[str, frozenset[str]], held: frozenset[str]
) -> Extended:
    """Build the version of `base` with these corrections, oldest first; of several about one input the last one counts.

    `prints` maps the SHA-256 of each object that is still stored to its fingerprints. `held` has the fingerprints of the base's
    test pictures: neither they nor pictures derived from them are added.
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
    """List label and file of every correction in a version, sorted by name; labels that are JSON are parsed."""
    for file in dataset.files:
        folder, _, name = file.name.removeprefix(f"{dataset.name}/").partition("/")
        if folder == FOLDER and "/" in name:
            yield _value(unquote(name.partition("/")[0])), file


def published(dataset: Manifest) -> Manifest:
    """Return the version without its corrections."""
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
