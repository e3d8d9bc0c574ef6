"""Remove secrets from answers: literally, and in the encodings in which servers repeat them."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
_SHORTEST = 4


class Redactor:
    """Removes the values of secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for form in self._forms:
            text = text.replace(form, MARK)
        return text

    def value(self, value: Any) -> Any:
        """Return the JSON-like value without secrets, including keys and numbers."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(item) for item in value]
            case dict():
                return {self.text(key): self.value(item) for key, item in value.items()}
            case int() | float() if not isinstance(value, bool) and any(form in repr(value) for form in self._forms):
                return MARK
        return value

    def inside(self, data: bytes) -> bool:
        """Return whether the bytes contain a secret."""
        return any(form.encode() in data for form in self._forms)


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # Base64 at each of three offsets inside a longer text, without the characters that depend on its neighbours.
        for lead in range(3):
            whole = encode(b"\0" * lead + raw).decode().rstrip("=")
            inner = whole[(lead * 8 + 5) // 6 : (lead + len(raw)) * 8 // 6]
            if len(inner) >= 2 * _SHORTEST:
                yield inner
    yield raw.hex()
    # `Basic …` is kept encoded; what it stands for is the secret as well.
    try:
        opened = base64.b64decode(secret, validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        return
    for part in {opened, opened.partition(":")[2]}:
        if len(part) >= _SHORTEST and part.isprintable():
            yield part
