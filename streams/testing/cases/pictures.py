"""Pictures in tests: `file:` means a file beside the pipeline, `image:` one that nobody looks into. Nothing is uploaded."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

from schemas.refs import Ref
from streams.errors import Blame, MillraceError
from streams.service.errors import InvalidInput
from streams.service.media import LIMITS, sniff
from streams.testing.driver import RUN

FILE, MADE_UP = "file:", "image:"


class BadPicture(MillraceError, ValueError):
    """A picture of a test that cannot be had; `hint` says what to do."""

    blame = Blame.AUTHOR

    def __init__(self, problem: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(problem)


def is_picture(value: Any) -> bool:
    """Return whether a text stands for a picture, where one is expected."""
    return isinstance(value, str) and value.startswith((FILE, MADE_UP))


class Pictures:
    """References to the pictures of one file's tests, by what the tests call them; the same content is the same reference."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        """What a reference is called, by its hash."""

    def ref(self, text: str) -> dict[str, Any]:
        """Return the reference for `file:PATH` or `image:NAME`. Raises BadPicture."""
        if text not in self._known:
            self._known[text] = self._file(text) if text.startswith(FILE) else _made_up(text)
            self.names.setdefault(self._known[text]["sha256"], text)
        return self._known[text]

    def _file(self, text: str) -> dict[str, Any]:
        path = text.removeprefix(FILE)
        if self._folder is None:
            raise BadPicture("there is no folder here that a file could be in", "use image:NAME")
        if not path or PurePosixPath(path).is_absolute():
            raise BadPicture(f"{path!r} is no path beside the pipeline's file", "such as file:fixtures/face.jpg")
        try:
            with (self._folder / path).open("rb") as file:
                data = file.read(LIMITS.size + 1)
        except OSError as error:
            raise BadPicture(f"{self._folder / path} cannot be read: {error.strerror or error}") from None
        if len(data) > LIMITS.size:
            raise BadPicture(f"{path} has more than the {LIMITS.size:,} bytes allowed")
        try:
            media_type = sniff(data).media_type
        except InvalidInput as error:
            raise BadPicture(f"{path}: {error.reason}", error.hint) from None
        return _ref(hashlib.sha256(data).hexdigest(), len(data), media_type)


def _made_up(text: str) -> dict[str, Any]:
    if text == MADE_UP:
        raise BadPicture("image: without a name", "such as image:blurred")
    return _ref(hashlib.sha256(text.encode()).hexdigest(), 1, "image/png")


def _ref(digest: str, size: int, media_type: str) -> dict[str, Any]:
    return Ref("millrace", f"runs/{RUN}/{digest}", size, digest, media_type).to_dict()
