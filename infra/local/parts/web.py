"""HTTP health checks of servers on this machine."""

import base64
from http.client import HTTPConnection, HTTPException

from infra.local.home.ports import LOOPBACK

_SECONDS = 2.0


def status(port: int, path: str, login: tuple[str, str] | None = None) -> int | None:
    """Return the status of a GET, or None if there is no answer. Cheap, because it runs many times a second during a start."""
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
