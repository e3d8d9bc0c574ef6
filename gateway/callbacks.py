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
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway import stream
from gateway.journal import Journal
from gateway.metrics import Metrics
from gateway.problems import Fault, Kind, Problem
from gateway.render import to_json
from gateway.store import HistoryAway, Store
from gateway.view import result
from streams import webhooks

log = logging.getLogger(__name__)

SIGNATURE = "millrace-signature"
"""The header that says `sha256=` and the HMAC-SHA256 (hex digits) of the body, with the API key as its key."""
SETTING = "MILLRACE_GATEWAY_CALLBACKS"
_POLL = 5.0
_LEASE = 60
"""Seconds that a gateway has for one try before another one may take it."""
_PATIENCE = 15.0
_LONGEST = 600
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


@dataclass(frozen=True)
class Claim:
    """One callback that this gateway is to try now."""

    run: str
    url: str
    tries: int
    """This one included."""


class Callbacks:
    """Keeps and delivers callbacks to the allowed hosts (`host` or `host:port`); with none allowed it does nothing."""

    def __init__(
        self, store: Store, journal: Journal, metrics: Metrics, key: str, allowed: Iterable[str], most: int
    ) -> None:
        """`most`: tries of one callback."""
        self._store = store
        self._journal = journal
        self._metrics = metrics
        self._key = key.encode()
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
        """Remembers to tell of a run. Raises HistoryAway."""
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
        self._news.set()  # what was left behind before this gateway began
        # No proxy of the environment, and no redirect: only the allowed host hears of the run.
        async with httpx.AsyncClient(timeout=_PATIENCE, trust_env=False, follow_redirects=False) as client:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL):
                        await self._news.wait()
                self._news.clear()
                try:
                    claims = await self._claim()
                except HistoryAway as error:
                    log.warning("callbacks wait: %s", error)
                    continue
                except Exception:
                    log.exception("callbacks cannot be taken: trying again")
                    continue
                await asyncio.gather(*(self._try(client, one) for one in claims))

    async def _claim(self) -> list[Claim]:
        ended, self._ended = self._ended, set()
        async with self._store.connection() as connection:
            await self._ensure(connection)
            cursor = await connection.execute(
                """update callbacks set tries = tries + 1, due = now() + make_interval(secs => %(lease)s) where run in (
                       select c.run from callbacks c left join runs r using (run)
                       where c.outcome is null and c.due <= now() and (r.ended_at is not null or c.tries > 0 or c.run = any(%(ended)s))
                       order by c.due limit 16 for update of c skip locked)
                   returning run, url, tries""",
                {"lease": _LEASE, "ended": list(ended)},
            )
            return [Claim(row["run"], row["url"], row["tries"]) for row in await cursor.fetchall()]

    async def _try(self, client: httpx.AsyncClient, claim: Claim) -> None:
        try:
            body = await self._body(claim.run)
            signature = "sha256=" + hmac.new(self._key, body, hashlib.sha256).hexdigest()
            headers = {"content-type": "application/json", "millrace-run": claim.run, SIGNATURE: signature}
            headers |= webhooks.headers(claim.run, time.time(), body, self._key.decode())
            answer = await client.post(claim.url, content=body, headers=headers)
            error = "" if answer.is_success else f"it answered {answer.status_code}"
            final = answer.status_code == 410
        except Exception as caught:  # noqa: BLE001  # whatever it is, the other callbacks go on
            error, final = str(caught) or type(caught).__name__, False
        outcome = None if error else "delivered"
        if error and (final or claim.tries >= self._most):
            outcome = "given up"
        self._metrics.callbacks.labels(outcome or "to be tried again").inc()
        if error:
            log.warning(
                "callback of run %s to %s, try %d: %s", claim.run, urlsplit(claim.url).hostname, claim.tries, error
            )
        pause = webhooks.pause(claim.tries, 1.0, _LONGEST)
        if outcome is None:
            asyncio.get_running_loop().call_later(pause + 0.1, self._news.set)
        with contextlib.suppress(HistoryAway):  # then the lease runs out, and it is tried again
            async with self._store.connection() as connection:
                await connection.execute(
                    """update callbacks set outcome = %s, error = %s, due = now() + make_interval(secs => %s)
                       where run = %s""",
                    (outcome, error[:500] or None, pause, claim.run),
                )

    async def _body(self, run: str) -> bytes:
        """What is said of a run that has ended: its result, or the problem that it ended with."""
        async with self._journal.open(run) as entry:
            last = await stream.ended(entry, self._journal, 0.0)
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
                await connection.execute("select pg_advisory_xact_lock(%s)", (0x6D696C6D,))
                await connection.execute(TABLE)
                await connection.execute("delete from callbacks where due < now() - interval '30 days'")
            self._made = True
