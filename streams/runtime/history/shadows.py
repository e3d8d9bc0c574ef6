"""Comparing the results of shadow runs with those of the runs that they repeat: a row for each pair that has ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg

from streams.flow.output_diff import Difference, differences

_PAIRS = """
select s.run as shadow_run, r.run, s.pipeline, s.digest, r.digest, r.status, s.status, r.output, s.output,
       extract(epoch from r.ended_at - r.accepted_at), extract(epoch from s.ended_at - s.accepted_at),
       s.failure ->> 'reason'
from runs s join runs r on r.run = s.shadow_of left join shadow_comparisons c on c.shadow_run = s.run
where s.shadow_of is not null and s.ended_at is not null and r.ended_at is not null and c.shadow_run is null
      and (%(ended)s::text[] is null or s.run = any(%(ended)s) or s.shadow_of = any(%(ended)s))
limit 500
"""
_KEEP = """
insert into shadow_comparisons (shadow_run, run, pipeline, digest, against, verdict, differences, seconds, shadow_seconds)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""


@dataclass(frozen=True)
class _Pair:
    """A run and its shadow, with the columns of _PAIRS."""

    shadow_run: str
    run: str
    pipeline: str
    digest: str
    against: str
    status: str
    shadow_status: str
    output: Any
    shadow_output: Any
    seconds: float | None
    shadow_seconds: float | None
    reason: str | None
    """Why the shadow failed."""

    def row(self) -> tuple[object, ...]:
        """Build the row of the comparison, with the columns of _KEEP."""
        differing = self._differences()
        verdict = "incomparable" if differing is None else "different" if differing else "same"
        text = msgspec.json.encode([difference.to_json() for difference in differing or ()]).decode()
        names = (self.shadow_run, self.run, self.pipeline, self.digest, self.against)
        return (*names, verdict, text, self.seconds, self.shadow_seconds)

    def _differences(self) -> list[Difference] | None:
        """Compare how both runs ended; return None when one was cancelled: there is nothing to compare."""
        if "cancelled" in (self.status, self.shadow_status):
            return None
        if self.status != self.shadow_status:
            shadow = f"{self.shadow_status}: {self.reason}" if self.reason else self.shadow_status
            return [Difference("$status", self.status, shadow)]
        return differences(self.output, self.shadow_output) if self.status == "finished" else []


async def compare(connection: psycopg.AsyncConnection[Any], ended: Iterable[str] | None = None) -> int:
    """Compare pairs that have ended, of which one run is among `ended` (None: all pairs). Repeating it changes nothing.

    Returns how many were compared. Call it after the commit that records the end of a run: the later one of two such
    commits sees both ends.
    """
    cursor = await connection.execute(_PAIRS, {"ended": None if ended is None else list(ended)})
    rows = [_Pair(*row).row() for row in await cursor.fetchall()]
    if rows:
        async with connection.cursor() as writer:
            await writer.executemany(_KEEP, rows)
    return len(rows)
