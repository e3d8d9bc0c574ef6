"""Signing what is posted to other systems, as Standard Webhooks says (https://www.standardwebhooks.com, version 1). No network here.

The receiver computes the HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>` with the secret and compares; it refuses old
timestamps, and goes by the id when a message comes twice. Libraries for that exist in most languages.
"""

import base64
import binascii
import hashlib
import hmac

from streams.errors import Blame, MillraceError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
"""What a secret begins with whose rest is the key in base64."""


class BadSecret(MillraceError, ValueError):
    """A secret that begins with `whsec_` is not base64; the message never contains it."""

    blame = Blame.OPERATOR


def headers(identity: str, at: float, body: bytes, secret: str) -> dict[str, str]:
    """Return the three headers of a message; `at` in epoch seconds, of this attempt. Raises BadSecret.

    A secret without the prefix is taken as it is written, in UTF-8.
    """
    stamp = str(int(at))
    signed = hmac.new(key(secret), f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {ID: identity, TIMESTAMP: stamp, SIGNATURE: "v1," + base64.b64encode(signed).decode()}


def pause(tries: int, first: float, longest: float) -> float:
    """Return the seconds before the next attempt after so many failed ones: twice as long each time."""
    return min(first * 2.0 ** min(tries - 1, 60), longest)


def key(secret: str) -> bytes:
    """Return the key to sign with. Raises BadSecret."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise BadSecret(f"a secret that begins with {PREFIX} continues in base64") from None
