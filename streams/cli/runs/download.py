"""The images of a result as files."""

import mimetypes
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streams.cli.client import Gateway
from streams.cli.exits import Exit, Failed
from streams.cli.runs.follow import is_object


def save(gateway: Gateway, output: Any, to: str) -> Iterator[Path]:
    """Write the object of an output to the file `to`, or every one into the folder `to/`; yield each path once it is written."""
    target = Path(to)
    references = list(objects(output))
    if not references:
        raise Failed(Exit.REFUSED, "the result holds no image; leave -o out to see it")
    if to == "-":
        if len(references) > 1:
            raise Failed(Exit.USAGE, f"the result holds {len(references)} images; -o FOLDER/ takes them all")
        sys.stdout.buffer.write(gateway.call("GET", references[0][1]["href"]).content)
        return
    into = len(references) > 1 or to.endswith(os.sep) or target.is_dir()
    if into and not target.is_dir() and (target.exists() or (target.suffix and not to.endswith(os.sep))):
        what = "is a file" if target.exists() else "is the name of one"
        raise Failed(
            Exit.USAGE, f"the result holds {len(references)} images, and {target} {what}; -o FOLDER/ takes them all"
        )
    try:
        for place, value in references:
            path = target / (place + ending(value["ref"]["media_type"])) if into else target
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}")
            part.write_bytes(gateway.call("GET", value["href"]).content)
            part.replace(path)
            yield path
    except OSError as error:
        raise Failed(Exit.REFUSED, f"{error.filename or target}: {error.strerror or error}") from error


def objects(value: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every object in a value, with a name made of its place: `thumbnails-0`."""
    if is_object(value):
        yield place or "output", value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from objects(inner, f"{place}-{name}" if place else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, f"{place}-{index}" if place else str(index))


def ending(media_type: str) -> str:
    """Return the ending of file names of a media type, such as `.jpg`; empty for an unknown type."""
    return {"image/jpeg": ".jpg", "image/webp": ".webp"}.get(media_type) or mimetypes.guess_extension(media_type) or ""
