"""Secrets for others that are derived from the API key, so that nobody else needs to hold the key itself."""

import base64
import hashlib
import hmac

from streams.wire.webhooks import PREFIX


def callbacks(key: str) -> str:
    """Return the secret that signs callbacks, as Standard Webhooks writes it: `whsec_` and the key in base64."""
    return PREFIX + base64.b64encode(hmac.digest(key.encode(), b"millrace callbacks", hashlib.sha256)).decode()
