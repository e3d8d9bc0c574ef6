"""JSON answers."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


def to_json(value: Any) -> bytes:
    """Write plain JSON values as text without line breaks; characters that UTF-8 cannot carry become `?`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def json_response(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(to_json(document), status, headers, "application/json")
