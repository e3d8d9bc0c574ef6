"""Convert legacy names: of nodes, inputs, pipelines and output fields, and of services by their addresses."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from schemas.nearest import nearest
from streams.language.source.identifiers import MAX_NAME, wrong_name

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9]+")
_EXTENSION = re.compile(r"\.(jpe?g|png|gif|webp|bmp|tiff?|json|txt|csv|bin)$", re.IGNORECASE)

SERVICES: Mapping[str, str] = {
    "area-blur": "image-blur",
    "face-detection": "face-detect",
    "face-analyzer": "face-analyze",
    "digit-recognizer": "digit-recognition",
}
"""Services whose legacy names differ."""

ANSWERS: Mapping[tuple[str, str], str] = {
    ("face-detect", "answer"): "{}.faces.map(face, face.area)",
    ("face-detect", "areas"): "{}.faces.map(face, face.area)",
    ("image-analyze", "format"): "('image/' + {}.format)",  # the legacy service returned image/jpeg, this one jpeg
    ("image-crop", "result"): "{}.images[0]",
}
"""Outputs of legacy services under other names or in another form, by (service, name)."""


def words(text: str) -> list[str]:
    """Split a name into words: `faceDetection`, `face-detection` and `Face Detection` are the same two."""
    return [word for word in _OTHER.split(_HUMP.sub(" ", text).lower()) if word]


def pipeline_name(text: str) -> str:
    """Convert the name of a pipeline: `Blur Women` becomes `blur-women`."""
    slug = "-".join(words(text))[:MAX_NAME].strip("-")
    return slug if slug[:1].isalpha() else f"pipeline-{slug}".strip("-")


def name(text: str, taken: Collection[str], suffix: str) -> str:
    """Return a free identifier: `analyze-img` becomes `analyze_img`, `loop` becomes `loop_node`."""
    identifier = "_".join(words(text))[: MAX_NAME - 10] or suffix
    identifier = identifier if identifier[0].isalpha() else f"{suffix}_{identifier}"
    if identifier in taken or wrong_name(identifier):
        identifier = f"{identifier}_{suffix}"
    return _numbered(identifier, taken)


def field(text: str, taken: Collection[str]) -> str:
    """Return a free name for a field of the output: `blurred.jpg` becomes `blurred`."""
    identifier = "_".join(words(_EXTENSION.sub("", text))) or "value"
    return _numbered(identifier if identifier[0].isalpha() else f"value_{identifier}", taken)


def _numbered(identifier: str, taken: Collection[str]) -> str:
    """Append a number to an identifier while it is taken."""
    number = 2
    while identifier in taken:
        identifier, number = f"{identifier.rstrip('0123456789')}{number}", number + 1
    return identifier


def service(data: Mapping[str, Any], known: Collection[str], mapping: Mapping[str, str]) -> str | None:
    """Return the service that a node means, by its name or by the host and path of its address; None when none fits."""
    for key in ("service", "name", "url"):
        value = data.get(key)
        if isinstance(value, str) and value in mapping:
            return mapping[value] if mapping[value] in known else None
    for guess in _guesses(data):
        wanted = mapping.get(guess) or SERVICES.get(guess) or guess
        if wanted in known:
            return wanted
    for guess in _guesses(data):
        close = nearest(guess, known, cutoff=0.85)
        if close:
            return close
    return None


def _guesses(data: Mapping[str, Any]) -> list[str]:
    guesses = [str(data[key]) for key in ("service", "name") if isinstance(data.get(key), str)]
    url = data.get("url")
    if isinstance(url, str):
        try:
            parts = urlsplit(url if "//" in url else f"//{url}")
        except ValueError:
            return guesses
        path = [part for part in parts.path.split("/") if part]
        host = (parts.hostname or "").split(".")[0].removeprefix("service-").removesuffix("-service")
        last = path[-1] if path else ""
        subject = host.split("-")[0]
        guesses += [last, f"{subject}-{last}", host, *reversed(path[:-1])]
    return ["-".join(words(guess)) for guess in guesses if guess]
