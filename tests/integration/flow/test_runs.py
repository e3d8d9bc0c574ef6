"""Runs over real brokers, on one worker that nothing happens to: values, services, foreign requests, failures."""

import dataclasses
import json
import time
import uuid
from pathlib import Path

from schemas.library import load
from schemas.results import result_schema
from streams.messages import Action, Control, EventKind
from streams.runtime.catalogue.announcements import Announcement, Announcer
from streams.runtime.connections.dead_letters import RESENT, DeadLetter, DeadLetters
from streams.wire.records import Outgoing, Place, Record
from tests.integration.support.runtime_harness import Rig
from tests.integration.support.shared_runtime import Town
from tests.integration.support.waiting import until

PLAIN = """
pipeline: plain
input: {n: int}
nodes:
  twice: {value: "${n * 2}"}
output: {total: "${twice}"}
"""
SUM = """
pipeline: sum
input: {n: int}
nodes:
  a: {service: add-one, with: {n: "${n}"}}
  b: {service: add-one, with: {n: "${n}"}}
output: {total: "${a.n + b.n}"}
"""
LOOP = """
pipeline: loop
input: {numbers: [int]}
nodes:
  plus:
    each: {number: "${numbers}"}
    concurrency: 4
    nodes:
      one: {service: add-one, with: {n: "${number}"}}
    output: "${one.n}"
output: {numbers: "${plus}"}
"""
POISON = """
pipeline: poisoned
input: {text: string}
nodes:
  taste: {service: poison, with: {text: "${text}"}, retry: {attempts: 1}}
output: {text: "${taste.text}"}
"""
FLAKY = """
pipeline: flaky-twice
input: {mark: string}
nodes:
  try: {service: flaky, with: {n: 2, mark: "${mark}"}, retry: {attempts: 2, backoff: 0.2s}}
output: {n: "${try.n}"}
"""
NAP = """
pipeline: nap
input: {seconds: float}
nodes:
  sleep: {service: naps, with: {seconds: "${seconds}"}}
output: {seconds: "${sleep.seconds}"}
"""
DICE = """
pipeline: throw
input: {n: int}
nodes:
  die: {service: dice, with: {n: "${n}"}}
  more: {service: add-one, with: {n: "${die.n}"}}
output: {n: "${die.n}", more: "${more.n}"}
"""
READ = """
pipeline: read
input: {n: int, mark: string}
nodes:
  hold: {service: latch, with: {n: "${n}", mark: "${mark}"}}
  degrees: {service: thermometer, with: {n: "${n}"}}
output: {n: "${degrees.n}", held: "${hold.n}"}
"""
LATE = """
pipeline: late
input: {n: int}
nodes:
  wait: {service: naps, with: {seconds: "${double(n)}"}}
output: {seconds: "${wait.seconds}"}
timeout: 1s
"""


async def letters_of(rig: Rig, run: str) -> list[DeadLetter]:
    """The dead letters of a run."""
    return [letter async for letter in DeadLetters(rig.parts).read() if letter.run == run]


async def answers(rig: Rig, pipeline: str) -> dict[str, dict[str, object]]:
    """Every result of a pipeline by run, decoded as another system would."""
    topology = rig.topology(pipeline)
    schema = result_schema(pipeline, topology.output)
    results = {}
    for record in await rig.results(pipeline):
        assert record.value is not None
        value = await rig.parts.codec.decode(record.value, schema)
        results[value["run"]] = value
    return results


def test_a_run_without_services_ends_in_flow(town: Town) -> None:
    """A pipeline of values gives its typed result on .results and its events in order."""

    async def main(rig: Rig) -> None:
        await rig.publish(PLAIN)
        run = await rig.submit("plain", {"n": 21})
        assert await rig.output(run) == {"total": 42}
        kinds = [sent.event.kind for sent in rig.client_events(run)]
        assert kinds == [EventKind.ACCEPTED, EventKind.FINISHED, EventKind.RUN_FINISHED]
        answer = (await until(lambda: _found(rig, "plain", run)))["output"]
        assert answer == {"total": 42}

    town.run(main(town.rig))


def test_what_a_service_needs_is_loaded_once_before_its_calls(town: Town) -> None:
    """Each process loads what its services say, once, and every call finds it there."""

    async def main(rig: Rig) -> None:
        await until(lambda: rig.pipelines.version("learned"))
        runs = [await rig.submit("learned", {"n": 0}) for _ in range(12)]
        assert [await rig.output(run) for run in runs] == [{"n": 1}] * len(runs)

    town.run(main(town.rig))


async def _found(rig: Rig, pipeline: str, run: str) -> dict[str, object] | None:
    return (await answers(rig, pipeline)).get(run)


def test_branches_meet(town: Town) -> None:
    """Two services side by side give one result, each with its started and finished event."""

    async def main(rig: Rig) -> None:
        await rig.publish(SUM)
        run = await rig.submit("sum", {"n": 5})
        assert await rig.output(run) == {"total": 12}
        seen = sorted((sent.event.kind.value, sent.event.path) for sent in rig.client_events(run))
        assert seen == [
            ("node.finished", "a"),
            ("node.finished", "b"),
            ("node.started", "a"),
            ("node.started", "b"),
            ("run.accepted", ""),
            ("run.finished", ""),
        ]

    town.run(main(town.rig))


def test_a_loop_keeps_the_order_of_its_items(town: Town) -> None:
    """Items run on all partitions, some at once, and their outputs come in item order; no item at all is a result too."""

    async def main(rig: Rig) -> None:
        await rig.publish(LOOP)
        run = await rig.submit("loop", {"numbers": list(range(30))})
        none = await rig.submit("loop", {"numbers": []})
        assert await rig.output(run) == {"numbers": list(range(1, 31))}
        assert await rig.output(none) == {"numbers": []}

    town.run(main(town.rig))


def test_a_service_is_a_pipeline_of_its_own_name(town: Town) -> None:
    """A line of JSON without any header starts a run of a service alone."""

    async def main(rig: Rig) -> None:
        await until(lambda: rig.pipelines.version("add-one"))
        topic = rig.parts.names.requests("add-one")
        await rig.parts.producer.send(Outgoing(topic, None, b'{"n": 1}'))
        answer = await until(lambda: _any(rig, "add-one"))
        assert (answer["status"], answer["output"]) == ("finished", {"n": 2})

    town.run(main(town.rig))


async def _any(rig: Rig, pipeline: str) -> dict[str, object] | None:
    return next(iter((await answers(rig, pipeline)).values()), None)


def test_an_accepted_run_that_is_refused_after_all_fails(town: Town) -> None:
    """A gateway named the run, so a client waits for its end: events report it, as for any run."""

    async def main(rig: Rig) -> None:
        await rig.publish(PLAIN)
        run = str(uuid.uuid4())
        named = (("millrace-run", run.encode()),)
        await rig.parts.producer.send(
            Outgoing(rig.parts.names.requests("plain"), run.encode(), b'{"n": "many"}', named)
        )
        last = await rig.ended(run)
        assert last.event.kind is EventKind.RUN_FAILED
        assert last.event.data["fault"] == "caller"
        assert "n: " in last.event.data["reason"]
        result = await until(lambda: _answer(rig, "plain", run))
        assert result["status"] == "failed"

    town.run(main(town.rig))


async def _answer(rig: Rig, pipeline: str, run: str) -> dict[str, object] | None:
    return (await answers(rig, pipeline)).get(run)


def test_garbage_is_answered_and_holds_nothing_up(town: Town) -> None:
    """Garbage on a requests topic gives an error result and a dead letter; the next record of its partition runs."""

    async def main(rig: Rig) -> None:
        await rig.publish(PLAIN)
        topic = rig.parts.names.requests("plain")
        for value in (b"\x01\x02", b'{"n": "many"}', b"{", b'{"n": 1}'):
            await rig.parts.producer.send(Outgoing(topic, b"same", value, partition=0))
        (offset,) = (await rig.parts.offsets.ends([Place(topic, 0)])).values()
        wanted = {f"{topic}/0@{offset - n}" for n in (4, 3, 2)}
        letters = DeadLetters(rig.parts)

        async def refused() -> dict[str, DeadLetter] | None:
            refusals = {f"{letter.topic}/{letter.partition}@{letter.offset}": letter async for letter in letters.read()}
            return refusals if wanted <= refusals.keys() else None

        refusals = await until(refused)
        runs = {refusals[place].run for place in wanted}

        async def answered() -> dict[str, dict[str, object]] | None:
            results = await answers(rig, "plain")
            return results if runs <= results.keys() else None

        results = await until(answered)
        assert {results[str(run)]["status"] for run in runs} == {"failed"}
        bad = refusals[f"{topic}/0@{offset - 3}"]
        problems = results[str(bad.run)]["problems"]
        assert isinstance(problems, list)
        assert problems[0]["where"] == "n"
        assert bad.value == b'{"n": "many"}'
        last = await until(lambda: _last_plain(rig, f"{topic}/0@{offset - 1}"))
        assert await rig.output(last) == {"total": 2}

    town.run(main(town.rig))


def _last_plain(rig: Rig, where: str) -> str | None:
    """The run that the record at this place began."""
    for run, events in rig.events.items():
        if any(sent.event.data.get("source") == where for sent in events):
            return run
    return None


def test_a_duplicate_request_is_the_same_run(town: Town) -> None:
    """The same request three times, and its tasks and tokens sent again, give one end and the same output."""

    async def main(rig: Rig) -> None:
        await rig.publish(SUM)
        run = str(uuid.uuid4())
        for _ in range(3):
            await rig.submit("sum", {"n": 1}, run)
        assert await rig.output(run) == {"total": 4}
        before = [sent.event for sent in rig.client_events(run)]
        again = [
            record
            for topic in (rig.parts.names.tasks("add-one", 1), rig.parts.topic("flow.tokens"))
            for record in await rig.read(topic)
            if (record.key or b"").startswith(run.encode())
        ]
        assert len(again) >= 4
        for record in again:
            await rig.parts.producer.send(_copy(record))
        marker = await rig.submit(
            "sum", {"n": 2}
        )  # whatever follows the copies in the same topics is handled after them
        await rig.output(marker)
        await until(lambda: _drained(rig))
        assert [sent.event for sent in rig.client_events(run)] == before
        ends = {sent.id for sent in rig.events[run] if sent.event.kind.terminal}
        assert len(ends) == 1

    town.run(main(town.rig))


def _copy(record: Record) -> Outgoing:
    return Outgoing(record.place.topic, record.key, record.value, record.headers, record.place.partition)


async def _drained(rig: Rig) -> bool:
    """Whether every record of tasks and tokens has been acknowledged."""
    prefix, count = rig.settings.topic_prefix, rig.settings.partitions
    for group, topic in (("add-one", rig.parts.names.tasks("add-one", 1)), ("flow", rig.parts.topic("flow.tokens"))):
        lag = await rig.parts.offsets.lag(prefix + group, [Place(topic, number) for number in range(count)])
        if sum(lag.values()):
            return False
    return True


def test_a_refusal_fails_the_run_without_a_dead_letter(town: Town) -> None:
    """A caller's mistake is reported with a hint, not tried again, and gives no dead letter."""

    async def main(rig: Rig) -> None:
        await rig.publish(POISON)
        run = await rig.submit("poisoned", {"text": "refuse"})
        last = await rig.ended(run)
        assert last.event.kind is EventKind.RUN_FAILED
        assert last.event.data["reason"] == "text: not this"
        assert last.event.data["hint"] == "something else"
        assert await letters_of(rig, run) == []

    town.run(main(town.rig))


def test_poison_costs_its_own_run_only(town: Town) -> None:
    """A body that dies, hoards, hangs or fails fails its run with the reason, leaves a dead letter, and harms no other."""

    async def main(rig: Rig) -> None:
        await rig.publish(POISON)
        texts = ["die", "hoard", "sleep", "fail", "honey"]
        runs = {text: await rig.submit("poisoned", {"text": text}) for text in texts}
        assert await rig.output(runs.pop("honey")) == {"text": "honey"}
        reasons = {text: (await rig.ended(run)).event.data["reason"] for text, run in runs.items()}
        assert reasons == {
            "die": "its process ended with signal SIGKILL",
            "hoard": "took more than 1024 MiB",
            "sleep": "took longer than 1 s",
            "fail": "RuntimeError: it broke",
        }
        (letter,) = await letters_of(rig, runs["fail"])
        assert (letter.consumer, letter.path, letter.attempt) == ("poison", "taste", 1)
        assert "chores.py" in letter.stack

    town.run(main(town.rig))


def test_a_dead_letter_can_be_sent_again(town: Town) -> None:
    """The original record goes to where it stood, byte for byte, and says which dead letter it was."""

    async def main(rig: Rig) -> None:
        await rig.publish(POISON)
        run = await rig.submit("poisoned", {"text": "fail"})
        await rig.ended(run)
        (letter,) = await letters_of(rig, run)
        letters = DeadLetters(rig.parts)
        assert await letters.show(letter.id) == letter
        await letters.resend(letter.id)
        sent = [record for record in await rig.read(letter.topic) if record.header(RESENT) == letter.id.encode()]
        (record,) = sent
        assert (record.key, record.value) == (letter.key, letter.value)
        assert record.headers[:-1] == letter.headers

    town.run(main(town.rig))


def test_a_task_that_is_none_is_a_dead_letter(town: Town) -> None:
    """Garbage on a service's own topic is put aside, and the service goes on."""

    async def main(rig: Rig) -> None:
        topic = rig.parts.names.tasks("add-one", 1)
        sent = await rig.parts.producer.send(Outgoing(topic, b"x", b"garbage", partition=0))
        place = f"{topic}/0@{sent.offset}"

        async def put_aside() -> DeadLetter | None:
            letters = [letter async for letter in DeadLetters(rig.parts).read()]
            return next(
                (letter for letter in letters if f"{letter.topic}/{letter.partition}@{letter.offset}" == place), None
            )

        letter = await until(put_aside)
        assert letter.value == b"garbage"
        assert "millrace-envelope" in letter.reason

    town.run(main(town.rig))


def test_a_failure_is_tried_again_after_its_delay(town: Town, tmp_path: Path) -> None:
    """A failed attempt waits in a tier and is tried again; the run finishes with what the second attempt gave."""

    async def main(rig: Rig) -> None:
        await rig.publish(FLAKY)
        run = await rig.submit("flaky-twice", {"mark": str(tmp_path / "mark")})
        assert await rig.output(run) == {"n": 2}
        events = {sent.event.kind: sent for sent in rig.client_events(run)}
        retrying = events[EventKind.RETRYING]
        assert retrying.event.data["next_attempt"] == 2
        assert events[EventKind.FINISHED].event.attempt == 2
        tier = [record for record in await rig.read(rig.parts.names.retry("1s")) if record.key == f"{run}/try".encode()]
        assert len(tier) == 1

    town.run(main(town.rig))


def test_a_redelivery_never_throws_the_dice_again(town: Town) -> None:
    """A service that is not deterministic gives the outcome that it gave first, however often its task is delivered."""

    async def main(rig: Rig) -> None:
        await rig.publish(DICE)
        run = await rig.submit("throw", {"n": 0})
        first = (await rig.output(run))["n"]
        await rig.parts.producer.send(_copy(await _task_of(rig, run, "dice")))
        await until(lambda: len(_numbers(rig, run, "die")) == 2)
        assert _numbers(rig, run, "die") == [first, first]

    town.run(main(town.rig))


def test_the_first_reading_is_what_all_see(town: Town, tmp_path: Path) -> None:
    """A read-only service stores no outcome, because the run's log keeps it: a second delivery reads another value, which does
    not show.
    """

    async def main(rig: Rig) -> None:
        await rig.publish(READ)
        run = await rig.submit("read", {"n": 0, "mark": str(tmp_path / "go on")})
        await until(lambda: _numbers(rig, run, "degrees"))
        await rig.parts.producer.send(_copy(await _task_of(rig, run, "thermometer")))
        await until(lambda: len(_numbers(rig, run, "degrees")) == 2)
        first, second = _numbers(rig, run, "degrees")
        assert first != second
        (tmp_path / "go on").touch()
        assert await rig.output(run) == {"n": first, "held": 0}
        seen = [sent.event.data for sent in rig.client_events(run) if sent.event.kind is EventKind.FINISHED]
        assert [data["output"] for data in seen] == [{"n": first}, {"n": 0}]
        assert not await rig.parts.store.list(f"runs/{run}/outcomes/")

    town.run(main(town.rig))


async def _task_of(rig: Rig, run: str, service: str) -> Record:
    """The one task of a run for a service."""
    records = await rig.read(rig.parts.names.tasks(service, 1))
    (task,) = [record for record in records if (record.key or b"").startswith(run.encode())]
    return task


def _numbers(rig: Rig, run: str, node: str) -> list[int]:
    """A node's output in each event of its end."""
    finished = [sent.event for sent in rig.events[run] if sent.event.kind is EventKind.FINISHED]
    return [event.data["output"]["n"] for event in finished if event.vertex == node]


def test_cancelling_stops_the_work(town: Town) -> None:
    """A cancelled run ends at once, its body is killed, and the pool's only child serves the next run."""

    async def main(rig: Rig) -> None:
        await rig.publish(NAP)
        run = await rig.submit("nap", {"seconds": 25.0})
        await until(lambda: any(sent.event.kind is EventKind.STARTED for sent in rig.events[run]))
        await rig.parts.producer.send(await rig.parts.wire.control(Control(run, Action.CANCEL)))
        assert (await rig.ended(run)).event.kind is EventKind.RUN_CANCELLED
        after = await rig.submit("nap", {"seconds": 0.0})
        assert await rig.output(after, 15) == {"seconds": 0.0}

    town.run(main(town.rig))


def test_a_run_ends_at_its_deadline(town: Town) -> None:
    """A run that is not done in time fails, with its deadline as the reason."""

    async def main(rig: Rig) -> None:
        await rig.publish(LATE)
        run = await rig.submit("late", {"n": 20})
        last = await rig.ended(run, 15)
        assert last.event.kind is EventKind.RUN_FAILED
        assert "deadline" in last.event.data["reason"]

    town.run(main(town.rig))


def test_a_large_value_travels_through_s3(town: Town) -> None:
    """What is larger than a record should be reaches the next service, the client and the results whole."""

    async def main(rig: Rig) -> None:
        await rig.publish(POISON)
        text = "long " * 200_000
        run = await rig.submit("poisoned", {"text": text})
        assert await rig.output(run) == {"text": text}
        records = [record for record in await rig.read(rig.parts.events) if record.key == run.encode()]
        assert max(len(record.value or b"") for record in records) < 1000
        answer = await until(lambda: _found(rig, "poisoned", run))
        assert answer["output"] == {"text": text}

    town.run(main(town.rig))


def test_the_state_of_ended_runs_is_one_marker(town: Town) -> None:
    """Of a run that is over, flow.state holds nothing but its marker."""

    async def main(rig: Rig) -> None:
        await rig.publish(SUM)
        run = await rig.submit("sum", {"n": 1})
        await rig.output(run)
        schema = load("FlowRow")

        async def standing() -> list[str] | None:
            rows: dict[bytes, bytes | None] = {}
            for record in await rig.read(rig.parts.topic("flow.state")):
                rows[record.key or b""] = record.value
            mine = [value for key, value in rows.items() if key.startswith(run.encode()) and value is not None]
            names = [(await rig.parts.codec.decode(value, schema))["row"] for value in mine]
            return names if names == ["done"] else None

        assert await until(standing) == ["done"]

    town.run(main(town.rig))


def test_an_order_that_is_none_is_a_dead_letter(town: Town) -> None:
    """Garbage on run.control stops neither flow nor a worker."""

    async def main(rig: Rig) -> None:
        sent = Outgoing(rig.parts.topic("run.control"), b"x", b"garbage")
        await rig.parts.producer.send(sent)
        await rig.parts.producer.send(dataclasses.replace(sent, value=json.dumps({"run": "x"}).encode()))

        async def both() -> bool:
            topics = [letter.topic async for letter in DeadLetters(rig.parts).read()]
            return topics.count(sent.topic) == 2

        await until(both)
        await rig.publish(PLAIN)
        assert await rig.output(await rig.submit("plain", {"n": 1})) == {"total": 2}

    town.run(main(town.rig))


def test_a_worker_that_says_nothing_more_expires(town: Town) -> None:
    """An announcement stands for three periods; then the worker counts as gone, and is forgotten, without a word of its own.

    A contract that is said again is the same object: what is computed from contracts is remembered by it.
    """

    async def main(rig: Rig) -> None:
        await until(lambda: "add-one" in rig.services.contracts(), 20, "the announcement of add-one")
        contract = dataclasses.replace(rig.services.contracts()["add-one"], name="ghost")

        def say() -> list[Announcement]:
            return [Announcement("ghost", "w", contract, time.time(), 0.2)]

        announcer = Announcer(rig.parts, say, 0.2)
        await announcer.start()
        first = (await until(lambda: rig.services.workers("ghost")))[0]
        assert first.contract == contract
        await until(lambda: any(worker.at > first.at for worker in rig.services.workers("ghost")), 5, "the next period")
        assert all(worker.contract is first.contract for worker in rig.services.workers("ghost"))
        assert announcer._task is not None
        announcer._task.cancel()  # as kill -9 ends it: without a withdrawal
        await until(lambda: rig.services.absent("ghost", 1), 5, "expiry")
        assert rig.services.workers("ghost") == []
        await Announcer(rig.parts, lambda: [Announcement("ghost", "next", contract, time.time())]).announce()
        await until(lambda: not rig.services.absent("ghost", 1), 5, "another worker")
        assert [key for key in rig.services._announcements if key.startswith(b"ghost/")] == [b"ghost/next"]

    town.run(main(town.rig))
