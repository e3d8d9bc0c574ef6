"""The status that an HTTP server on this machine answers with."""

from http.client import HTTPConnection, HTTPException

from infra.local.ports import LOOPBACK

_SECONDS = 2.0


def status(port: int, path: str) -> int | None:
    """The status of a GET, or None when nobody answers. Light, since it is asked many times a second while a part starts."""
    connection = HTTPConnection(LOOPBACK, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
