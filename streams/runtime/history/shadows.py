"""Comparing what a version that runs in the shadow gives with what callers got: a row for each pair that has ended."""

from collections.abc import Iterable
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


async def compare(connection: psycopg.AsyncConnection[Any], ended: Iterable[str] | None = None) -> int:
    """Compares pairs of which one is among `ended` (or any) and both have ended; how many. Repeating it changes nothing.

    It must come after the commit that says of the second one that it has ended: then whoever commits last sees both.
    """
    found = await connection.execute(_PAIRS, {"ended": None if ended is None else list(ended)})
    rows = [_compared(*row) for row in await found.fetchall()]
    if rows:
        async with connection.cursor() as cursor:
            await cursor.executemany(_KEEP, rows)
    return len(rows)


def _compared(
    shadow_run: str,
    run: str,
    pipeline: str,
    digest: str,
    against: str,
    status: str,
    shadow_status: str,
    output: Any,
    shadow_output: Any,
    seconds: float | None,
    shadow_seconds: float | None,
    reason: str | None,
) -> tuple[object, ...]:
    found: list[Difference] = []
    if "cancelled" in (status, shadow_status):
        verdict = "incomparable"
    else:
        if status != shadow_status:
            found = [Difference("$status", status, f"{shadow_status}: {reason}" if reason else shadow_status)]
        elif status == "finished":
            found = differences(output, shadow_output)
        verdict = "different" if found else "same"
    told = msgspec.json.encode([one.to_json() for one in found]).decode()
    return shadow_run, run, pipeline, digest, against, verdict, told, seconds, shadow_seconds
