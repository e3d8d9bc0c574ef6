"""Fingerprints of a dataset's test pictures, so that none of them is learned from.

Fingerprints are the hash of a file and those of its grey pixels, as they are and inverted, so that a picture is recognised in
another format or inverted. A scaled or cropped one is not; for those a correction names the input that they were cut from.
"""

import csv
import hashlib
import io
import tarfile
from collections.abc import Container, Iterator, Mapping
from typing import Any

from streams.datasets.manifest import BadManifest, Manifest

_TESTS = "t10k-images-idx3-ubyte"
_LABELS = "labels.csv"
_FROM = 16
"""Bytes of an IDX file before its pixels."""


def needed(dataset: Manifest) -> list[str]:
    """List the files that have a dataset's test pictures. Raises BadManifest if the dataset does not say which they are."""
    names = [file.name for file in dataset.files]
    labelled = [name.rpartition("/")[0] for name in names if name.endswith(f"/{_LABELS}")]
    wanted = [name for name in names if name.endswith(_TESTS) or name.rpartition("/")[0] in labelled]
    if not wanted:
        raise BadManifest(f"{dataset.label}: nothing in it says what it is tested by, so nothing can be added safely")
    return wanted


def known(contents: Mapping[str, bytes]) -> frozenset[str]:
    """Return the fingerprints of all test pictures; `contents` are the files that `needed` lists. Raises BadManifest."""
    fingerprints: set[str] = set()
    for name, content in contents.items():
        if name.endswith(_TESTS):
            fingerprints.update(_rows(content))
        elif name.endswith(f"/{_LABELS}"):
            fingerprints.update(_members(name, contents))
    if not fingerprints:
        raise BadManifest(f"no test picture is in {', '.join(contents)}")
    return frozenset(fingerprints)


def prints(data: bytes) -> frozenset[str]:
    """Return a file's fingerprints: its hash and, for a picture, those of its grey pixels, as they are and inverted."""
    return _prints(data, both=True)


def _prints(data: bytes, *, both: bool) -> frozenset[str]:
    fingerprints = {hashlib.sha256(data).hexdigest()}
    grey = _grey(data)
    if grey is not None:
        fingerprints.add(_pixels(grey.width, grey.height, grey.tobytes()))
        if both:
            fingerprints.add(_pixels(grey.width, grey.height, bytes(255 - pixel for pixel in grey.tobytes())))
    return frozenset(fingerprints)


def _grey(data: bytes) -> Any:
    from PIL import Image  # imported here, because reading manifests does not need it

    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # not a picture


def _pixels(width: int, height: int, pixels: bytes) -> str:
    return hashlib.sha256(f"{width}x{height}:".encode() + pixels).hexdigest()


def _rows(content: bytes) -> Iterator[str]:
    """Yield the pictures of an IDX file (http://yann.lecun.com/exdb/mnist): numbers of pictures, rows and columns, then pixels."""
    count, height, width = (int.from_bytes(content[at : at + 4], "big") for at in (4, 8, 12))
    size = width * height
    if len(content) != _FROM + count * size:
        raise BadManifest(f"a file of {count} pictures has {len(content)} bytes")
    for start in range(_FROM, len(content), size):
        yield _pixels(width, height, content[start : start + size])


def _members(name: str, contents: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the pictures that a `labels.csv` assigns to the test set, from the archives beside it."""
    folder = name.rpartition("/")[0]
    rows = list(csv.DictReader(contents[name].decode().splitlines()))
    tests = {row.get("filename") for row in rows if row.get("split") == "test"}
    for archive, packed in contents.items():
        if archive.rpartition("/")[0] == folder and archive.endswith(".tar"):
            for picture in _unpacked(packed, tests):
                yield from _prints(picture, both=False)


def _unpacked(archive: bytes, names: Container[str | None]) -> Iterator[bytes]:
    """Yield the content of these files of a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.removeprefix("./") in names else None
            if file is not None:
                yield file.read()
