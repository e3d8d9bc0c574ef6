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
from tests.integration.support.runtime_harness import RuntimeHarness
from tests.integration.support.shared_runtime import SharedRuntime
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


async def letters_of(harness: RuntimeHarness, run: str) -> list[DeadLetter]:
    """The dead letters of a run."""
    return [letter async for letter in DeadLetters(harness.connections).read() if letter.run == run]


async def answers(harness: RuntimeHarness, pipeline: str) -> dict[str, dict[str, object]]:
    """Every result of a pipeline by run, decoded as another system would."""
    topology = harness.topology(pipeline)
    schema = result_schema(pipeline, topology.output)
    results = {}
    for record in await harness.results(pipeline):
        assert record.value is not None
        value = await harness.connections.codec.decode(record.value, schema)
        results[value["run"]] = value
    return results


def test_a_run_without_services_ends_in_flow(shared_runtime: SharedRuntime) -> None:
    """A pipeline of values gives its typed result on .results and its events in order."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(PLAIN)
        run = await harness.submit("plain", {"n": 21})
        assert await harness.output(run) == {"total": 42}
        kinds = [sent.event.kind for sent in harness.client_events(run)]
        assert kinds == [EventKind.ACCEPTED, EventKind.FINISHED, EventKind.RUN_FINISHED]
        answer = (await until(lambda: _found(harness, "plain", run)))["output"]
        assert answer == {"total": 42}

    shared_runtime.run(main(shared_runtime.harness))


def test_a_process_loads_each_service_once_before_its_calls(shared_runtime: SharedRuntime) -> None:
    """Each process loads what its services say, once, and every call finds it there."""

    async def main(harness: RuntimeHarness) -> None:
        await until(lambda: harness.pipelines.version("learned"))
        runs = [await harness.submit("learned", {"n": 0}) for _ in range(12)]
        assert [await harness.output(run) for run in runs] == [{"n": 1}] * len(runs)

    shared_runtime.run(main(shared_runtime.harness))


async def _found(harness: RuntimeHarness, pipeline: str, run: str) -> dict[str, object] | None:
    return (await answers(harness, pipeline)).get(run)


def test_branches_meet(shared_runtime: SharedRuntime) -> None:
    """Two services side by side give one result, each with its started and finished event."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(SUM)
        run = await harness.submit("sum", {"n": 5})
        assert await harness.output(run) == {"total": 12}
        seen = sorted((sent.event.kind.value, sent.event.path) for sent in harness.client_events(run))
        assert seen == [
            ("node.finished", "a"),
            ("node.finished", "b"),
            ("node.started", "a"),
            ("node.started", "b"),
            ("run.accepted", ""),
            ("run.finished", ""),
        ]

    shared_runtime.run(main(shared_runtime.harness))


def test_a_loop_keeps_the_order_of_its_items(shared_runtime: SharedRuntime) -> None:
    """Items run on all partitions, some at once, and their outputs come in item order; no item at all is a result too."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(LOOP)
        run = await harness.submit("loop", {"numbers": list(range(30))})
        none = await harness.submit("loop", {"numbers": []})
        assert await harness.output(run) == {"numbers": list(range(1, 31))}
        assert await harness.output(none) == {"numbers": []}

    shared_runtime.run(main(shared_runtime.harness))


def test_a_service_is_a_pipeline_of_its_own_name(shared_runtime: SharedRuntime) -> None:
    """A line of JSON without any header starts a run of a service alone."""

    async def main(harness: RuntimeHarness) -> None:
        await until(lambda: harness.pipelines.version("add-one"))
        topic = harness.connections.names.requests("add-one")
        await harness.connections.producer.send(Outgoing(topic, None, b'{"n": 1}'))
        answer = await until(lambda: _any(harness, "add-one"))
        assert (answer["status"], answer["output"]) == ("finished", {"n": 2})

    shared_runtime.run(main(shared_runtime.harness))


async def _any(harness: RuntimeHarness, pipeline: str) -> dict[str, object] | None:
    return next(iter((await answers(harness, pipeline)).values()), None)


def test_an_accepted_run_that_is_refused_after_all_fails(shared_runtime: SharedRuntime) -> None:
    """A gateway named the run, so a client waits for its end: events report it, as for any run."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(PLAIN)
        run = str(uuid.uuid4())
        named = (("millrace-run", run.encode()),)
        await harness.connections.producer.send(
            Outgoing(harness.connections.names.requests("plain"), run.encode(), b'{"n": "many"}', named)
        )
        last = await harness.ended(run)
        assert last.event.kind is EventKind.RUN_FAILED
        assert last.event.data["fault"] == "caller"
        assert "n: " in last.event.data["reason"]
        result = await until(lambda: _answer(harness, "plain", run))
        assert result["status"] == "failed"

    shared_runtime.run(main(shared_runtime.harness))


async def _answer(harness: RuntimeHarness, pipeline: str, run: str) -> dict[str, object] | None:
    return (await answers(harness, pipeline)).get(run)


def test_garbage_is_answered_and_blocks_nothing(shared_runtime: SharedRuntime) -> None:
    """Garbage on a requests topic gives an error result and a dead letter; the next record of its partition runs."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(PLAIN)
        topic = harness.connections.names.requests("plain")
        for value in (b"\x01\x02", b'{"n": "many"}', b"{", b'{"n": 1}'):
            await harness.connections.producer.send(Outgoing(topic, b"same", value, partition=0))
        (offset,) = (await harness.connections.offsets.ends([Place(topic, 0)])).values()
        wanted = {f"{topic}/0@{offset - n}" for n in (4, 3, 2)}
        letters = DeadLetters(harness.connections)

        async def refused() -> dict[str, DeadLetter] | None:
            refusals = {f"{letter.topic}/{letter.partition}@{letter.offset}": letter async for letter in letters.read()}
            return refusals if wanted <= refusals.keys() else None

        refusals = await until(refused)
        runs = {refusals[place].run for place in wanted}

        async def answered() -> dict[str, dict[str, object]] | None:
            results = await answers(harness, "plain")
            return results if runs <= results.keys() else None

        results = await until(answered)
        assert {results[str(run)]["status"] for run in runs} == {"failed"}
        bad = refusals[f"{topic}/0@{offset - 3}"]
        problems = results[str(bad.run)]["problems"]
        assert isinstance(problems, list)
        assert problems[0]["where"] == "n"
        assert bad.value == b'{"n": "many"}'
        last = await until(lambda: _last_plain(harness, f"{topic}/0@{offset - 1}"))
        assert await harness.output(last) == {"total": 2}

    shared_runtime.run(main(shared_runtime.harness))


def _last_plain(harness: RuntimeHarness, where: str) -> str | None:
    """The run that the record at this place began."""
    for run, events in harness.events.items():
        if any(sent.event.data.get("source") == where for sent in events):
            return run
    return None


def test_a_duplicate_request_is_the_same_run(shared_runtime: SharedRuntime) -> None:
    """The same request three times, and its tasks and tokens sent again, give one end and the same output."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(SUM)
        run = str(uuid.uuid4())
        for _ in range(3):
            await harness.submit("sum", {"n": 1}, run)
        assert await harness.output(run) == {"total": 4}
        before = [sent.event for sent in harness.client_events(run)]
        again = [
            record
            for topic in (harness.connections.names.tasks("add-one", 1), harness.connections.topic("flow.tokens"))
            for record in await harness.read(topic)
            if (record.key or b"").startswith(run.encode())
        ]
        assert len(again) >= 4
        for record in again:
            await harness.connections.producer.send(_copy(record))
        marker = await harness.submit(
            "sum", {"n": 2}
        )  # whatever follows the copies in the same topics is handled after them
        await harness.output(marker)
        await until(lambda: _drained(harness))
        assert [sent.event for sent in harness.client_events(run)] == before
        ends = {sent.id for sent in harness.events[run] if sent.event.kind.terminal}
        assert len(ends) == 1

    shared_runtime.run(main(shared_runtime.harness))


def _copy(record: Record) -> Outgoing:
    return Outgoing(record.place.topic, record.key, record.value, record.headers, record.place.partition)


async def _drained(harness: RuntimeHarness) -> bool:
    """Whether every record of tasks and tokens has been acknowledged."""
    prefix, count = harness.settings.topic_prefix, harness.settings.partitions
    for group, topic in (
        ("add-one", harness.connections.names.tasks("add-one", 1)),
        ("flow", harness.connections.topic("flow.tokens")),
    ):
        lag = await harness.connections.offsets.lag(prefix + group, [Place(topic, number) for number in range(count)])
        if sum(lag.values()):
            return False
    return True


def test_a_refusal_fails_the_run_without_a_dead_letter(shared_runtime: SharedRuntime) -> None:
    """A caller's mistake is reported with a hint, not tried again, and gives no dead letter."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(POISON)
        run = await harness.submit("poisoned", {"text": "refuse"})
        last = await harness.ended(run)
        assert last.event.kind is EventKind.RUN_FAILED
        assert last.event.data["reason"] == "text: not this"
        assert last.event.data["hint"] == "something else"
        assert await letters_of(harness, run) == []

    shared_runtime.run(main(shared_runtime.harness))


def test_poison_costs_its_own_run_only(shared_runtime: SharedRuntime) -> None:
    """A body that dies, hoards, hangs or fails fails its run with the reason, leaves a dead letter, and harms no other."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(POISON)
        texts = ["die", "hoard", "sleep", "fail", "honey"]
        runs = {text: await harness.submit("poisoned", {"text": text}) for text in texts}
        assert await harness.output(runs.pop("honey")) == {"text": "honey"}
        reasons = {text: (await harness.ended(run)).event.data["reason"] for text, run in runs.items()}
        assert reasons == {
            "die": "its process ended with signal SIGKILL",
            "hoard": "took more than 1024 MiB",
            "sleep": "took longer than 1 s",
            "fail": "RuntimeError: it broke",
        }
        (letter,) = await letters_of(harness, runs["fail"])
        assert (letter.consumer, letter.path, letter.attempt) == ("poison", "taste", 1)
        assert "sample_services.py" in letter.stack

    shared_runtime.run(main(shared_runtime.harness))


def test_a_dead_letter_can_be_sent_again(shared_runtime: SharedRuntime) -> None:
    """The original record goes to where it stood, byte for byte, and says which dead letter it was."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(POISON)
        run = await harness.submit("poisoned", {"text": "fail"})
        await harness.ended(run)
        (letter,) = await letters_of(harness, run)
        letters = DeadLetters(harness.connections)
        assert await letters.show(letter.id) == letter
        await letters.resend(letter.id)
        sent = [record for record in await harness.read(letter.topic) if record.header(RESENT) == letter.id.encode()]
        (record,) = sent
        assert (record.key, record.value) == (letter.key, letter.value)
        assert record.headers[:-1] == letter.headers

    shared_runtime.run(main(shared_runtime.harness))


def test_an_invalid_task_is_a_dead_letter(shared_runtime: SharedRuntime) -> None:
    """Garbage on a service's own topic is put aside, and the service goes on."""

    async def main(harness: RuntimeHarness) -> None:
        topic = harness.connections.names.tasks("add-one", 1)
        sent = await harness.connections.producer.send(Outgoing(topic, b"x", b"garbage", partition=0))
        place = f"{topic}/0@{sent.offset}"

        async def put_aside() -> DeadLetter | None:
            letters = [letter async for letter in DeadLetters(harness.connections).read()]
            return next(
                (letter for letter in letters if f"{letter.topic}/{letter.partition}@{letter.offset}" == place), None
            )

        letter = await until(put_aside)
        assert letter.value == b"garbage"
        assert "millrace-envelope" in letter.reason

    shared_runtime.run(main(shared_runtime.harness))


def test_a_failure_is_tried_again_after_its_delay(shared_runtime: SharedRuntime, tmp_path: Path) -> None:
    """A failed attempt waits in a tier and is tried again; the run finishes with what the second attempt gave."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(FLAKY)
        run = await harness.submit("flaky-twice", {"mark": str(tmp_path / "mark")})
        assert await harness.output(run) == {"n": 2}
        events = {sent.event.kind: sent for sent in harness.client_events(run)}
        retrying = events[EventKind.RETRYING]
        assert retrying.event.data["next_attempt"] == 2
        assert events[EventKind.FINISHED].event.attempt == 2
        tier = [
            record
            for record in await harness.read(harness.connections.names.retry("1s"))
            if record.key == f"{run}/try".encode()
        ]
        assert len(tier) == 1

    shared_runtime.run(main(shared_runtime.harness))


def test_a_redelivery_never_throws_the_dice_again(shared_runtime: SharedRuntime) -> None:
    """A service that is not deterministic gives the outcome that it gave first, however often its task is delivered."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(DICE)
        run = await harness.submit("throw", {"n": 0})
        first = (await harness.output(run))["n"]
        await harness.connections.producer.send(_copy(await _task_of(harness, run, "dice")))
        await until(lambda: len(_numbers(harness, run, "die")) == 2)
        assert _numbers(harness, run, "die") == [first, first]

    shared_runtime.run(main(shared_runtime.harness))


def test_the_first_reading_is_what_all_see(shared_runtime: SharedRuntime, tmp_path: Path) -> None:
    """A read-only service stores no outcome, because the run's log keeps it: a second delivery reads another value, which does
    not show.
    """

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(READ)
        run = await harness.submit("read", {"n": 0, "mark": str(tmp_path / "go on")})
        await until(lambda: _numbers(harness, run, "degrees"))
        await harness.connections.producer.send(_copy(await _task_of(harness, run, "thermometer")))
        await until(lambda: len(_numbers(harness, run, "degrees")) == 2)
        first, second = _numbers(harness, run, "degrees")
        assert first != second
        (tmp_path / "go on").touch()
        assert await harness.output(run) == {"n": first, "held": 0}
        seen = [sent.event.data for sent in harness.client_events(run) if sent.event.kind is EventKind.FINISHED]
        assert [data["output"] for data in seen] == [{"n": first}, {"n": 0}]
        assert not await harness.connections.store.list(f"runs/{run}/outcomes/")

    shared_runtime.run(main(shared_runtime.harness))


async def _task_of(harness: RuntimeHarness, run: str, service: str) -> Record:
    """The one task of a run for a service."""
    records = await harness.read(harness.connections.names.tasks(service, 1))
    (task,) = [record for record in records if (record.key or b"").startswith(run.encode())]
    return task


def _numbers(harness: RuntimeHarness, run: str, node: str) -> list[int]:
    """A node's output in each event of its end."""
    finished = [sent.event for sent in harness.events[run] if sent.event.kind is EventKind.FINISHED]
    return [event.data["output"]["n"] for event in finished if event.vertex == node]


def test_cancelling_stops_the_work(shared_runtime: SharedRuntime) -> None:
    """A cancelled run ends at once, its body is killed, and the pool's only child serves the next run."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(NAP)
        run = await harness.submit("nap", {"seconds": 25.0})
        await until(lambda: any(sent.event.kind is EventKind.STARTED for sent in harness.events[run]))
        await harness.connections.producer.send(await harness.connections.wire.control(Control(run, Action.CANCEL)))
        assert (await harness.ended(run)).event.kind is EventKind.RUN_CANCELLED
        after = await harness.submit("nap", {"seconds": 0.0})
        assert await harness.output(after, 15) == {"seconds": 0.0}

    shared_runtime.run(main(shared_runtime.harness))


def test_a_run_ends_at_its_deadline(shared_runtime: SharedRuntime) -> None:
    """A run that is not done in time fails, with its deadline as the reason."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(LATE)
        run = await harness.submit("late", {"n": 20})
        last = await harness.ended(run, 15)
        assert last.event.kind is EventKind.RUN_FAILED
        assert "deadline" in last.event.data["reason"]

    shared_runtime.run(main(shared_runtime.harness))


def test_a_large_value_travels_through_s3(shared_runtime: SharedRuntime) -> None:
    """What is larger than a record should be reaches the next service, the client and the results whole."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(POISON)
        text = "long " * 200_000
        run = await harness.submit("poisoned", {"text": text})
        assert await harness.output(run) == {"text": text}
        records = [record for record in await harness.read(harness.connections.events) if record.key == run.encode()]
        assert max(len(record.value or b"") for record in records) < 1000
        answer = await until(lambda: _found(harness, "poisoned", run))
        assert answer["output"] == {"text": text}

    shared_runtime.run(main(shared_runtime.harness))


def test_the_state_of_ended_runs_is_one_marker(shared_runtime: SharedRuntime) -> None:
    """Of a run that is over, flow.state holds nothing but its marker."""

    async def main(harness: RuntimeHarness) -> None:
        await harness.publish(SUM)
        run = await harness.submit("sum", {"n": 1})
        await harness.output(run)
        schema = load("FlowRow")

        async def standing() -> list[str] | None:
            rows: dict[bytes, bytes | None] = {}
            for record in await harness.read(harness.connections.topic("flow.state")):
                rows[record.key or b""] = record.value
            mine = [value for key, value in rows.items() if key.startswith(run.encode()) and value is not None]
            names = [(await harness.connections.codec.decode(value, schema))["row"] for value in mine]
            return names if names == ["done"] else None

        assert await until(standing) == ["done"]

    shared_runtime.run(main(shared_runtime.harness))


def test_an_invalid_order_is_a_dead_letter(shared_runtime: SharedRuntime) -> None:
    """Garbage on run.control stops neither flow nor a worker."""

    async def main(harness: RuntimeHarness) -> None:
        sent = Outgoing(harness.connections.topic("run.control"), b"x", b"garbage")
        await harness.connections.producer.send(sent)
        await harness.connections.producer.send(dataclasses.replace(sent, value=json.dumps({"run": "x"}).encode()))

        async def both() -> bool:
            topics = [letter.topic async for letter in DeadLetters(harness.connections).read()]
            return topics.count(sent.topic) == 2

        await until(both)
        await harness.publish(PLAIN)
        assert await harness.output(await harness.submit("plain", {"n": 1})) == {"total": 2}

    shared_runtime.run(main(shared_runtime.harness))


def test_a_silent_worker_expires(shared_runtime: SharedRuntime) -> None:
    """An announcement stands for three periods; then the worker counts as gone, and is forgotten, without a word of its own.

    A contract that is said again is the same object: what is computed from contracts is remembered by it.
    """

    async def main(harness: RuntimeHarness) -> None:
        await until(lambda: "add-one" in harness.services.contracts(), 20, "the announcement of add-one")
        contract = dataclasses.replace(harness.services.contracts()["add-one"], name="ghost")

        def say() -> list[Announcement]:
            return [Announcement("ghost", "w", contract, time.time(), 0.2)]

        announcer = Announcer(harness.connections, say, 0.2)
        await announcer.start()
        first = (await until(lambda: harness.services.workers("ghost")))[0]
        assert first.contract == contract
        await until(
            lambda: any(worker.at > first.at for worker in harness.services.workers("ghost")), 5, "the next period"
        )
        assert all(worker.contract is first.contract for worker in harness.services.workers("ghost"))
        assert announcer._task is not None
        announcer._task.cancel()  # as kill -9 ends it: without a withdrawal
        await until(lambda: harness.services.absent("ghost", 1), 5, "expiry")
        assert harness.services.workers("ghost") == []
        await Announcer(harness.connections, lambda: [Announcement("ghost", "next", contract, time.time())]).announce()
        await until(lambda: not harness.services.absent("ghost", 1), 5, "another worker")
        assert [key for key in harness.services._announcements if key.startswith(b"ghost/")] == [b"ghost/next"]

    shared_runtime.run(main(shared_runtime.harness))
