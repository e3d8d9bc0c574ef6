"""Telling another system that a run has ended: kept in PostgreSQL until told, by whichever gateway lives.

A callback never changes what becomes of its run. It is tried again with growing pauses and given up in the end; a try
may come twice when a gateway dies in the middle of one, so the receiver goes by the run's id.
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
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.api.json_response import to_json
from gateway.api.problems import Fault, Kind, Problem
from gateway.callbacks.posting import ATTEMPT, post
from gateway.data.history import History, HistoryUnavailable
from gateway.following import stream
from gateway.following.run_events import RunEvents
from gateway.following.view import result
from gateway.monitoring.metrics import Metrics
from streams.runtime.history.advisory_locks import Lock
from streams.wire import derived_secrets, webhooks

log = logging.getLogger(__name__)

SIGNATURE = "millrace-signature"
"""The header that says `sha256=` and the HMAC-SHA256 (hex digits) of the body."""
SETTING = "MILLRACE_GATEWAY_CALLBACKS"
_POLL = 5.0
_LEASE = 60
"""Seconds that a gateway has for one try before another one may take it."""
_AT_ONCE = 16
_EACH = 2
"""Of them, tries at one receiver: one that hangs must not keep the others waiting."""
_LONGEST = 600
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_PORTS = {"http": 80, "https": 443}

TABLE = b"""
create table if not exists callbacks (
    run     text primary key,
    url     text not null,
    tries   integer not null default 0,
    due     timestamptz not null default now(),
    outcome text check (outcome in ('delivered', 'given up')),
    error   text
);
create index if not exists callbacks_due on callbacks (due) where outcome is null;
"""
# Asked twice what is due: what another gateway has claimed meanwhile is not it any more.
_CLAIM = b"""
update callbacks set tries = tries + 1, due = now() + make_interval(secs => %(lease)s)
where run in (
    select run from callbacks where outcome is null and due <= now() and run in (
        select run from (
            select run, due, receiver, row_number() over (partition by receiver order by due) as place
            from callbacks c left join runs r using (run),
                lateral (select substring(c.url from '://([^/?#]+)') as receiver) as its
            where c.outcome is null and c.due <= now()
              and (r.ended_at is not null or c.tries > 0 or c.run = any(%(ended)s))
              and receiver <> all(%(busy)s)
        ) as waiting
        where place <= %(each)s order by due limit %(most)s
    ) for update skip locked
)
returning run, url, substring(url from '://([^/?#]+)') as receiver, tries
"""


@dataclass(frozen=True)
class Claim:
    """One callback that this gateway is to try now."""

    run: str
    url: str
    receiver: str
    """Its host and port."""
    tries: int
    """This one included."""


class Callbacks:
    """Keeps and delivers callbacks to the allowed hosts (`host` or `host:port`); with none allowed it does nothing."""

    def __init__(
        self, store: History, journal: RunEvents, metrics: Metrics, key: str, allowed: Iterable[str], most: int
    ) -> None:
        """`most`: tries of one callback."""
        self._store = store
        self._journal = journal
        self._metrics = metrics
        self._secret = derived_secrets.callbacks(key)
        self._allowed = frozenset(one.strip().lower() for one in allowed if one.strip())
        self._most = most
        self._mine: set[str] = set()
        self._ended: set[str] = set()
        self._news = asyncio.Event()
        self._made = False

    def check(self, url: str) -> str:
        """The address, when runs may call it back. Raises Problem (422)."""
        where = "callback_url"
        if not self._allowed:
            fault = Fault(where, "callbacks are switched off here", f"{SETTING} names the hosts that may be called")
            raise Problem(Kind.INVALID, "There are no callbacks here.", [fault])
        try:
            if _UNPRINTABLE.search(url):  # the standard library takes line breaks out, and judges what is left
                raise ValueError
            split = urlsplit(url)
            host, port = (split.hostname or "").lower(), split.port
        except ValueError:
            host, port, split = "", None, urlsplit("")
        if split.scheme not in _PORTS or not host or split.username or split.password or len(url) > 2000:
            fault = Fault(
                where, f"{url:.100} is no address that can be called", "https://host/path, without a password"
            )
        elif f"{host}:{port or _PORTS[split.scheme]}" in self._allowed or (port is None and host in self._allowed):
            return url
        else:
            fault = Fault(where, f"{host} may not be called from here", f"{SETTING} names the hosts that may be")
        raise Problem(Kind.INVALID, "This callback cannot be taken.", [fault])

    async def keep(self, run: str, url: str) -> None:
        """Remembers to tell of a run. Raises HistoryUnavailable."""
        async with self._store.connection() as connection:
            await self._ensure(connection)
            await connection.execute(
                "insert into callbacks (run, url) values (%s, %s) on conflict (run) do nothing", (run, url)
            )
        self._mine.add(run)

    def told(self, run: str) -> None:
        """Hears that a run has ended."""
        if run in self._mine:
            self._mine.discard(run)
            self._ended.add(run)
            self._news.set()

    async def deliver(self) -> None:
        """Delivers for ever: what ended here at once, what other gateways left behind by and by."""
        if not self._allowed:
            return
        tries: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                self._news.clear()
                for claim in await self._claimed(tries.values()):
                    tries[asyncio.create_task(self._try(claim))] = claim.receiver
                await self._heard(tries)
                for task in [task for task in tries if task.done()]:
                    del tries[task]
                    task.result()
        finally:
            for task in tries:
                task.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    async def _heard(self, tries: Iterable[asyncio.Task[None]]) -> None:
        """Returns when there may be something to tell."""
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({*tries, news}, timeout=_POLL, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    async def _claimed(self, busy: Collection[str]) -> list[Claim]:
        """What is to be tried now, beside the tries under way at these receivers; nothing while that cannot be known."""
        ended, self._ended = self._ended, set()
        values = {
            "lease": _LEASE,
            "ended": list(ended),
            "busy": list(busy),
            "each": _EACH,
            "most": _AT_ONCE - len(busy),
        }
        try:
            async with self._store.connection() as connection:
                await self._ensure(connection)
                cursor = await connection.execute(_CLAIM, values)
                return [Claim(**row) for row in await cursor.fetchall()]
        except HistoryUnavailable as error:
            log.warning("callbacks wait: %s", error)
        except Exception:
            log.exception("callbacks cannot be taken: trying again")
        self._ended |= ended
        return []

    async def _try(self, claim: Claim) -> None:
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
        if error and (final or claim.tries >= self._most):
            outcome = "given up"
        self._metrics.callbacks.labels(outcome or "to be tried again").inc()
        if error:
            log.warning("callback of run %s to %s, try %d: %s", claim.run, claim.receiver, claim.tries, error)
        pause = webhooks.pause(claim.tries, 1.0, _LONGEST)
        if outcome is None:
            asyncio.get_running_loop().call_later(pause + 0.1, self._news.set)
        with contextlib.suppress(HistoryUnavailable):  # then the lease runs out, and it is tried again
            async with self._store.connection() as connection:
                await connection.execute(
                    """update callbacks set outcome = %s, error = %s, due = now() + make_interval(secs => %s)
                       where run = %s""",
                    (outcome, error[:500] or None, pause, claim.run),
                )

    async def _body(self, run: str) -> bytes:
        """What is said of a run that has ended: its result, or the problem that it ended with."""
        async with self._journal.open(run) as buffer:
            last = await stream.ended(buffer, self._journal, 0.0)
        document: dict[str, Any]
        try:
            document = result(run, last or {"event": "run.finished"})
        except Problem as problem:
            document = json.loads(to_json(problem.to_json()))
            document["status"] = document.pop("run_status", "failed")
        return to_json(document)

    async def _ensure(self, connection: Any) -> None:
        if not self._made:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock(%s)", (Lock.CALLBACKS,))
                await connection.execute(TABLE)
                await connection.execute("delete from callbacks where due < now() - interval '30 days'")
            self._made = True
