"""Calling other systems back when a run has ended: kept in PostgreSQL until delivered, by whichever gateway is running.

A callback never changes the result of its run. It is tried again with growing pauses and given up in the end; a try
may be repeated when a gateway dies in the middle of one, so receivers tell callbacks apart by the run's id.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import urlsplit

from gateway.api.json_response import to_json
from gateway.api.problems import Fault, Kind, Problem
from gateway.callbacks.posting import ATTEMPT, post
from gateway.data.interfaces import CallbackClaim, CallbackStore, HistoryUnavailable
from gateway.following.run_events import RunEvents
from gateway.following.run_streams import last_event
from gateway.following.view import result
from gateway.monitoring.metrics import Metrics
from streams.wire import derived_secrets, webhooks

log = logging.getLogger(__name__)

SIGNATURE = "millrace-signature"
"""The header with `sha256=` and the HMAC-SHA256 (hex digits) of the body."""
SETTING = "MILLRACE_GATEWAY_CALLBACKS"
_POLL = 5.0
"""Seconds between two looks for callbacks that other gateways left behind."""
_LONGEST_PAUSE = 600
"""Seconds between two tries, at most."""
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_PORTS = {"http": 80, "https": 443}


class Callbacks:
    """Keeps and delivers callbacks to the allowed hosts (`host` or `host:port`); without any it does nothing."""

    def __init__(
        self,
        store: CallbackStore,
        run_events: RunEvents,
        metrics: Metrics,
        key: str,
        allowed: Iterable[str],
        max_tries: int,
    ) -> None:
        """`key`: the API key, from which the secret of signatures is derived. `max_tries`: of one callback."""
        self._store = store
        self._run_events = run_events
        self._metrics = metrics
        self._secret = derived_secrets.callbacks(key)
        self._allowed = frozenset(host.strip().lower() for host in allowed if host.strip())
        self._max_tries = max_tries
        self._kept: set[str] = set()
        """Runs that were submitted here with a callback and have not ended."""
        self._ended: set[str] = set()
        self._wake = asyncio.Event()

    def check(self, url: str) -> str:
        """Return the address when it may be called back. Raises Problem (422)."""
        where = "callback_url"
        if not self._allowed:
            fault = Fault(where, "callbacks are switched off here", f"{SETTING} names the hosts that may be called")
            raise Problem(Kind.INVALID, "There are no callbacks here.", [fault])
        try:
            if _UNPRINTABLE.search(url):  # urlsplit removes line breaks, and would judge what is left
                raise ValueError
            split = urlsplit(url)
            host, port = (split.hostname or "").lower(), split.port
        except ValueError:
            host, port, split = "", None, urlsplit("")
        if split.scheme not in _PORTS or not host or split.username or split.password or len(url) > 2000:
            fault = Fault(
                where, f"{url:.100} is not an address that can be called", "https://host/path, without a password"
            )
        elif f"{host}:{port or _PORTS[split.scheme]}" in self._allowed or (port is None and host in self._allowed):
            return url
        else:
            fault = Fault(where, f"{host} may not be called from here", f"{SETTING} names the hosts that may be")
        raise Problem(Kind.INVALID, "This callback cannot be taken.", [fault])

    async def keep(self, run: str, url: str) -> None:
        """Keep the callback of a run. Raises HistoryUnavailable."""
        await self._store.add(run, url)
        self._kept.add(run)

    def run_ended(self, run: str) -> None:
        """Deliver the callback of a run that has ended, if it was kept here, without waiting for the history."""
        if run in self._kept:
            self._kept.discard(run)
            self._ended.add(run)
            self._wake.set()

    async def deliver(self) -> None:
        """Deliver until cancelled: callbacks of runs that ended here at once, those of other gateways at the next look."""
        if not self._allowed:
            return
        tries: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                self._wake.clear()
                for claim in await self._claim(tries.values()):
                    tries[asyncio.create_task(self._try(claim))] = claim.receiver
                await self._wait(tries)
                for task in [task for task in tries if task.done()]:
                    del tries[task]
                    task.result()
        finally:
            for task in tries:
                task.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    async def _wait(self, tries: Iterable[asyncio.Task[None]]) -> None:
        """Wait until there may be a callback to deliver."""
        woken = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({*tries, woken}, timeout=_POLL, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()

    async def _claim(self, busy: Collection[str]) -> list[CallbackClaim]:
        """Claim what is due now; nothing while the store is unavailable. `busy`: the receiver of each try in progress."""
        ended, self._ended = self._ended, set()
        try:
            return await self._store.claim(ended, busy)
        except HistoryUnavailable as error:
            log.warning("callbacks wait: %s", error)
        except Exception:
            log.exception("callbacks cannot be claimed: trying again")
        self._ended |= ended
        return []

    async def _try(self, claim: CallbackClaim) -> None:
        try:
            body = await self._body(claim.run)
            signature = "sha256=" + hmac.new(webhooks.key(self._secret), body, hashlib.sha256).hexdigest()
            headers = {"content-type": "application/json", "millrace-run": claim.run, SIGNATURE: signature}
            headers |= webhooks.headers(claim.run, time.time(), body, self._secret)
            status = await post(claim.url, body, headers)
            error = "" if 200 <= status < 300 else f"it answered {status}"
            final = status == 410
        except TimeoutError:
            error, final = f"it did not answer within {ATTEMPT:g} s", False
        except Exception as caught:  # noqa: BLE001  # whatever it is, the other callbacks go on
            error, final = str(caught) or type(caught).__name__, False
        outcome = None if error else "delivered"
        if error and (final or claim.tries >= self._max_tries):
            outcome = "given up"
        self._metrics.callbacks.labels(outcome or "to be tried again").inc()
        if error:
            log.warning("callback of run %s to %s, try %d: %s", claim.run, claim.receiver, claim.tries, error)
        pause = webhooks.pause(claim.tries, 1.0, _LONGEST_PAUSE)
        if outcome is None:
            asyncio.get_running_loop().call_later(pause + 0.1, self._wake.set)
        with contextlib.suppress(HistoryUnavailable):  # then the claim expires, and the callback is tried again
            await self._store.settle(claim.run, outcome, error, pause)

    async def _body(self, run: str) -> bytes:
        """Return what is posted for a run that has ended: its result, or the problem that it ended with."""
        async with self._run_events.open(run) as buffer:
            last = await last_event(buffer, self._run_events, 0.0)
        document: dict[str, Any]
        try:
            document = result(run, last or {"event": "run.finished"})
        except Problem as problem:
            document = json.loads(to_json(problem.to_json()))
            document["status"] = document.pop("run_status", "failed")
        return to_json(document)
