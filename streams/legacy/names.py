"""Names of the older format as names of ours: nodes, inputs, pipelines, fields of outputs, and services by their addresses."""

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
"""Services of the older system whose names were others."""

ANSWERS: Mapping[tuple[str, str], str] = {
    ("face-detect", "answer"): "{}.faces.map(face, face.area)",
    ("face-detect", "areas"): "{}.faces.map(face, face.area)",
    ("image-analyze", "format"): "('image/' + {}.format)",  # it said image/jpeg where ours says jpeg
    ("image-crop", "result"): "{}.images[0]",
}
"""What the services of the older system gave under other names or in another form, by (service, name)."""


def words(text: str) -> list[str]:
    """`faceDetection`, `face-detection` and `Face Detection` are the same two words."""
    return [word for word in _OTHER.split(_HUMP.sub(" ", text).lower()) if word]


def pipeline_name(text: str) -> str:
    """`Blur Women` → `blur-women`."""
    made = "-".join(words(text))[:MAX_NAME].strip("-")
    return made if made[:1].isalpha() else f"pipeline-{made}".strip("-")


def name(text: str, taken: Collection[str], more: str) -> str:
    """An identifier that is free: `analyze-img` → `analyze_img`, `loop` → `loop_node`."""
    made = "_".join(words(text))[: MAX_NAME - 10] or more
    made = made if made[0].isalpha() else f"{more}_{made}"
    if made in taken or wrong_name(made):
        made = f"{made}_{more}"
    number = 2
    while made in taken:
        made, number = f"{made.rstrip('0123456789')}{number}", number + 1
    return made


def field(text: str, taken: Collection[str]) -> str:
    """A field of the output: `blurred.jpg` → `blurred`."""
    made = "_".join(words(_EXTENSION.sub("", text))) or "value"
    made = made if made[0].isalpha() else f"value_{made}"
    number = 2
    while made in taken:
        made, number = f"{made.rstrip('0123456789')}{number}", number + 1
    return made


def service(data: Mapping[str, Any], known: Collection[str], given: Mapping[str, str]) -> str | None:
    """The service that a node means: by name, or by the host and path of its address; None when none fits."""
    for key in ("service", "name", "url"):
        value = data.get(key)
        if isinstance(value, str) and value in given:
            return given[value] if given[value] in known else None
    for guess in _guesses(data):
        wanted = given.get(guess) or SERVICES.get(guess) or guess
        if wanted in known:
            return wanted
    for guess in _guesses(data):
        close = nearest(guess, known, cutoff=0.85)
        if close:
            return close
    return None


def _guesses(data: Mapping[str, Any]) -> list[str]:
    found = [str(data[key]) for key in ("service", "name") if isinstance(data.get(key), str)]
    url = data.get("url")
    if isinstance(url, str):
        try:
            parts = urlsplit(url if "//" in url else f"//{url}")
        except ValueError:
            return found
        path = [part for part in parts.path.split("/") if part]
        host = (parts.hostname or "").split(".")[0].removeprefix("service-").removesuffix("-service")
        last = path[-1] if path else ""
        subject = host.split("-")[0]
        found += [last, f"{subject}-{last}", host, *reversed(path[:-1])]
    return ["-".join(words(one)) for one in found if one]
