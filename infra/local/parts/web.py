"""The status that an HTTP server on this machine answers with."""

import base64
from http.client import HTTPConnection, HTTPException

from infra.local.home.ports import LOOPBACK

_SECONDS = 2.0


def status(port: int, path: str, login: tuple[str, str] | None = None) -> int | None:
    """The status of a GET, or None when nobody answers. Light, since it is asked many times a second while a part starts."""
    connection = HTTPConnection(LOOPBACK, port, timeout=_SECONDS)
    try:
        connection.request("GET", path, headers=_basic(*login) if login else {})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
