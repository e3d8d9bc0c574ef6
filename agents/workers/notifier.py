"""The notifier: sends notices of ended runs to the receivers that the operator named, from PostgreSQL, beside the recorder.

Notices are in the table `notices`, written with the end of the run. A receiver that fails never changes what
became of the run: it is tried again with growing pauses, by any running recorder, and in the end given up, which the
table shows.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from typing import Any

import psycopg

from agents.notices import mail, message, webhook
from agents.notices.mail import Letter, Mail
from agents.notices.rules import WEBHOOK, Rules
from agents.notices.webhook import Post
from agents.web.limits import Limits
from streams.background import ended
from streams.runtime.history import tables
from streams.service.errors import InvalidInput, RetryLater
from streams.wire.webhooks import pause

log = logging.getLogger(__name__)

TRIES = 12
"""Of one notice, with pauses from FIRST to LONGEST in between: a receiver may be unavailable for about nine hours."""
FIRST = 5.0
LONGEST = 3 * 3600.0
_POLL = 5.0
_LEASE = 120
"""Seconds that a notifier has for one try before another one may take it."""
_ATTEMPT = 60.0
_AT_ONCE = 8
_EACH = 2
"""Of them, tries at one receiver: one that hangs must not keep the others waiting."""

# Asked twice what is due: what another notifier has claimed meanwhile is not it any more.
_CLAIM = """
update notices set tries = tries + 1, due = now() + make_interval(secs => %(lease)s)
where id in (
    select id from notices where outcome is null and due <= now() and id in (
        select id from (
            select id, due, row_number() over (partition by target order by due) as place
            from notices where outcome is null and due <= now() and target <> all(%(busy)s)
        ) as waiting
        where place <= %(each)s order by due limit %(most)s
    ) for update skip locked
)
returning id::text, run, kind, channel, target, secret, tries
"""
_SETTLE = """
update notices set outcome = %(outcome)s, error = %(error)s, due = now() + make_interval(secs => %(pause)s)
where id = %(id)s::uuid
"""


class Notifier:
    """Delivers notices of the table in the background; the recorder writes them by `rules`."""

    def __init__(self, postgres: str) -> None:
        """Read the operator's rules. Raises SettingError if they are invalid."""
        self.rules = Rules.read()
        self._postgres = postgres
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start delivering; does nothing without rules."""
        if self.rules.rules:
            self._task = asyncio.create_task(self._run(), name="notifier")

    async def stop(self) -> None:
        """Stop. An attempt in progress is repeated later, with the same id."""
        await ended(self._task)

    def soon(self) -> None:
        """Wake the notifier: there may be new notices."""
        self._news.set()

    async def _run(self) -> None:
        while True:
            try:
                async with await tables.connected(self._postgres) as connection:
                    await self._deliver(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("notices wait: PostgreSQL does not answer: %s", error)
            except Exception:  # whatever it is, the notices of others must still be sent
                log.exception("notices cannot be sent: trying again")
            await self._heard()

    async def _deliver(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        """Deliver until nothing is due and no attempt is running. Raises psycopg.Error."""
        tries: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                self._news.clear()
                for claim in await self._claimed(connection, tries.values()):
                    tries[asyncio.create_task(self._try(connection, claim))] = claim["target"]
                if not tries:
                    return
                news = asyncio.create_task(self._heard())
                done, _ = await asyncio.wait({*tries, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                for task in done & tries.keys():
                    del tries[task]
                    await task
        finally:
            for task in tries:
                task.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    async def _heard(self) -> None:
        """Wait until there may be something to deliver."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL):
                await self._news.wait()

    async def _claimed(
        self, connection: psycopg.AsyncConnection[dict[str, Any]], busy: Collection[str]
    ) -> list[dict[str, Any]]:
        """Claim the notices that are due, except those for these receivers, to which attempts are in progress."""
        cursor = await connection.execute(
            _CLAIM, {"lease": _LEASE, "busy": list(busy), "each": _EACH, "most": _AT_ONCE - len(busy)}
        )
        return await cursor.fetchall()

    async def _try(self, connection: psycopg.AsyncConnection[dict[str, Any]], claim: Mapping[str, Any]) -> None:
        wait, outcome, error = 0.0, "delivered", None
        try:
            cursor = await connection.execute("select * from runs where run = %s", [claim["run"]])
            run = await cursor.fetchone()
            if run is None:
                raise InvalidInput("its run is no longer in the history")
            async with asyncio.timeout(_ATTEMPT):
                await _tell(claim, message.facts(run))
        except psycopg.Error:
            raise
        except InvalidInput as refused:
            outcome, error = "given up", str(refused)
        except Exception as caught:  # noqa: BLE001  # whatever it is, it is this receiver's
            error = str(caught) or type(caught).__name__
            after = caught.after if isinstance(caught, RetryLater) else 0.0
            wait = max(pause(claim["tries"], FIRST, LONGEST), after)
            outcome = "given up" if claim["tries"] >= TRIES else ""
        if error:
            log.warning(
                "notice of run %s, try %d, %s: %s", claim["run"], claim["tries"], outcome or "again later", error
            )
        if not outcome:
            asyncio.get_running_loop().call_later(wait + 0.1, self._news.set)
        await connection.execute(
            _SETTLE, {"outcome": outcome or None, "error": error and error[:500], "pause": wait, "id": claim["id"]}
        )


async def _tell(claim: Mapping[str, Any], facts: dict[str, Any]) -> None:
    """Deliver to one receiver. Raises InvalidInput, RetryLater, and SettingError."""
    if claim["channel"] == WEBHOOK:
        body = webhook.encoded(claim["kind"], facts["ended_at"], facts)
        await webhook.send(Post(claim["id"], claim["target"], claim["secret"], body), Limits.read())
    else:
        await mail.send(Letter(claim["id"], claim["target"], message.subject(facts), message.text(facts)), Mail.read())
