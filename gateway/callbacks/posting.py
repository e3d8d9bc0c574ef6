"""One POST to another system, which may be slow or never end: the whole attempt has a time limit, and its answer is not read."""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache

import httpx

ATTEMPT = 30.0
"""Seconds of one attempt, from the connection to the status."""


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post once and return the status of the answer. Raises httpx.HTTPError, TimeoutError."""
    # Each has its own client: what the time limit cuts off is lost with it, and no other post is affected.
    # No proxy of the environment, and no redirect: only the allowed host receives it.
    client = httpx.AsyncClient(timeout=ATTEMPT, trust_env=False, follow_redirects=False, verify=_trust())
    async with asyncio.timeout(ATTEMPT), client, client.stream("POST", url, content=body, headers=headers) as answer:
        return answer.status_code


@cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
