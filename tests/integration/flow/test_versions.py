"""Versions of a pipeline on real brokers: side by side, tried for a share or in the shadow, gone back to, forgotten."""

import json
import uuid
from typing import Any

import pytest

from streams.cli.pipelines.plan import plan_text
from streams.compile import compile_pipeline
from streams.flow.rollout import Rollout, Trial
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.plan import How, Plan, Wanted, draw
from streams.wire.records import Place
from tests.integration.support.gateway_world import GatewayWorld, wait
from tests.integration.support.gateways_with_worker import (
    YAML,
    ended,
    events_of,
    gateways_with_worker,
    put,
    state,
    submit,
)

__all__ = ["gateways_with_worker"]


def steps(name: str, more: int, seconds: float = 0.0) -> str:
    """A pipeline that naps, then adds."""
    return f"""
pipeline: {name}
input: {{n: int}}
nodes:
  nap: {{service: naps, with: {{seconds: {seconds:.1f}}}}}
  plus: {{service: add-one, with: {{n: "${{n + {more - 1} + int(nap.seconds) * 0}}"}}}}
output: {{n: "${{plus.n}}"}}
"""


def versions(world: GatewayWorld, name: str) -> dict[str, dict[str, Any]]:
    """The versions of a pipeline by digest."""
    listing = world.second.http.get(f"/pipelines/{name}/versions").json()["versions"]
    return {version["digest"]: version for version in listing}


def fresh() -> str:
    """A fresh name."""
    return f"v-{uuid.uuid4().hex[:8]}"


def test_a_run_stays_on_the_version_that_it_began_on(gateways_with_worker: GatewayWorld) -> None:
    """Runs of the old version that wait when a new one is put finish by the old one; new runs by the new one."""
    world, name = gateways_with_worker, fresh()
    old = put(world, steps(name, 1, 2.0))["digest"]
    before = [submit(world, name, n=number) for number in range(3)]
    new = put(world, steps(name, 100))["digest"]
    after = submit(world, name, n=7)

    def refused() -> bool:
        answer = world.first.http.request("DELETE", f"/pipelines/{name}/versions", params={"digest": old})
        assert answer.status_code == 409, answer.text
        return "open run" in answer.text

    wait(refused, "the old version is kept for its runs")
    assert [ended(world, run)["output"] for run in before] == [{"n": number + 1} for number in range(3)]
    assert {ended(world, run)["digest"] for run in before} == {old}
    assert (ended(world, after)["output"], ended(world, after)["digest"]) == ({"n": 107}, new)
    wait(lambda: versions(world, name)[old]["runs"] == 0, "the history knows that they are over")
    assert (versions(world, name)[old]["status"], versions(world, name)[new]["status"]) == ("former", "active")


def test_the_plan_counts_the_runs_under_way(gateways_with_worker: GatewayWorld) -> None:
    """Before a change is applied, the plan says how many runs are under way on which version, and who lives to serve it."""
    world, name = gateways_with_worker, fresh()
    old = put(world, steps(name, 1, 8.0))["digest"]
    runs = [submit(world, name, n=1) for _ in range(2)]
    wait(lambda: versions(world, name)[old]["runs"] == 2, "the history knows both")
    text = steps(name, 9)
    changed = Wanted(compile_pipeline(text, world.first.app.components.catalogues.services.contracts()), text)

    async def drawn() -> Plan:
        catalogue = Pipelines(world.connections)
        try:
            return await draw(world.connections, catalogue, [changed])
        finally:
            await catalogue.stop()

    plan = world.loop(drawn())
    (pipeline,) = plan.pipelines
    assert (pipeline.how, dict(pipeline.runs)) == (How.TAKEN, {old: 2})
    shown = plan_text(plan)
    assert f"runs in progress: 2 on {old[:12]}; they end on the version that they began on" in shown
    assert "consumers: flow, add-one (1 live), naps (1 live)" in shown
    for run in runs:
        world.first.http.delete(f"/runs/{run}")


def test_a_version_is_forgotten_when_no_run_needs_it(
    gateways_with_worker: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A former version without runs goes for good; the active one, and one that was only just replaced, stay."""
    monkeypatch.setattr("streams.runtime.catalogue.versions.SETTLED", 0.0)
    world, name = gateways_with_worker, fresh()
    old = put(world, steps(name, 1))["digest"]
    ended(world, submit(world, name, n=1))
    new = put(world, steps(name, 2))["digest"]

    def forgotten() -> Any:
        answer = world.first.http.request("DELETE", f"/pipelines/{name}/versions")
        return answer.status_code == 200 and answer.json()["forgotten"]

    assert wait(forgotten, "the old one can go") == [old]
    wait(lambda: set(versions(world, name)) == {new}, "both gateways have forgotten it")
    assert ended(world, submit(world, name, n=1))["output"] == {"n": 3}
    assert world.first.http.post(f"/pipelines/{name}/rollback").status_code == 404
    path = f"/pipelines/{name}/versions"
    wait(lambda: world.first.http.request("DELETE", path, params={"digest": old}).status_code == 404, "it is gone")


def test_going_back(gateways_with_worker: GatewayWorld) -> None:
    """`rollback` makes the version before active, said again it comes back; a digest chooses; a stale etag is refused."""
    world, name = gateways_with_worker, fresh()
    digests = [put(world, steps(name, more))["digest"] for more in (1, 2, 3)]
    stale = world.first.http.get(f"/pipelines/{name}").headers["etag"]
    back = world.first.http.post(f"/pipelines/{name}/rollback")
    assert (back.status_code, back.json()["digest"]) == (200, digests[1])
    assert ended(world, submit(world, name, n=0))["output"] == {"n": 2}
    assert world.first.http.post(f"/pipelines/{name}/rollback", headers={"if-match": stale}).status_code == 412
    first = world.first.http.post(f"/pipelines/{name}/rollback", json={"digest": digests[0][:10]})
    assert first.json()["digest"] == digests[0]
    assert world.first.http.post(f"/pipelines/{name}/rollback").json()["digest"] == digests[1]
    assert world.first.http.post(f"/pipelines/{name}/rollback", json={"digest": "zz"}).status_code == 404
    assert world.first.http.post(f"/pipelines/{name}/rollback", json={"digets": "a"}).status_code == 422
    assert world.first.http.post("/pipelines/no-such/rollback").status_code == 404


def test_a_canary_takes_its_share(gateways_with_worker: GatewayWorld) -> None:
    """Each run takes the version that its id says, on both gateways; going back ends the trial."""
    world, name = gateways_with_worker, fresh()
    old = put(world, steps(name, 1))["digest"]
    put(world, steps(name, 50), canary="40%")
    shown = {version["status"]: version for version in versions(world, name).values()}
    assert (shown["active"]["digest"], shown["active"]["share"]) == (old, 0.6)
    new = shown["canary"]["digest"]
    rollout = Rollout(old, new, Trial(0.4))
    runs = []
    for number in range(12):
        gateway = (world.first, world.second)[number % 2]
        runs.append(gateway.http.post(f"/pipelines/{name}/runs", json={"n": 0}).json()["id"])
    for run in runs:
        original = ended(world, run)
        assert original["digest"] == rollout.digest(run)
        assert original["output"] == {"n": 50 if original["digest"] == new else 1}
        assert events_of(world, run)[0]["data"]["digest"] == original["digest"]
    assert world.first.http.get(f"/pipelines/{name}").json()["trial"] == {"digest": new, "shadow": False, "share": 0.4}
    assert world.first.http.post(f"/pipelines/{name}/rollback").json()["digest"] == old
    wait(lambda: versions(world, name)[new]["status"] == "former", "the trial is over")
    assert (
        world.first.http.put(
            f"/pipelines/{name}", content=steps(name, 9), headers=YAML, params={"canary": "0%"}
        ).status_code
        == 422
    )


def test_a_shadow_is_compared_and_seen_by_nobody(gateways_with_worker: GatewayWorld) -> None:
    """A version in the shadow runs on the same requests: no result, no event of the caller's; differences are listed by path."""
    world, name = gateways_with_worker, fresh()
    text = steps(name, 1).replace('output: {n: "${plus.n}"}', 'output: {n: "${plus.n}", parts: ["${n}", "${plus.n}"]}')
    old = put(world, text)["digest"]
    put(world, text.replace('"${n + 0 ', '"${n + (n > 1 ? 5 : 0) '), shadow=True)
    runs = [submit(world, name, n=number) for number in range(4)]
    outputs = [ended(world, run)["output"]["n"] for run in runs]
    assert outputs == [1, 2, 3, 4]
    report: dict[str, Any] = wait(
        lambda: (
            (comparison := world.second.http.get(f"/pipelines/{name}/shadow").json()).get("pending") == 0
            and comparison["runs"] == 4
            and comparison
        ),
        lambda: world.second.http.get(f"/pipelines/{name}/shadow").text,
    )
    assert (report["same"], report["different"]) == (2, 2)
    assert [(path["path"], path["count"]) for path in report["paths"]] == [("$.n", 2), ("$.parts[1]", 2)]
    shown = {pair["run"]: pair["differences"][0] for pair in report["last"]}
    assert shown[runs[3]] == {"path": "$.n", "active": "4", "candidate": "9"}
    for run in runs:
        assert {event["data"]["run"] for event in events_of(world, run)} == {run}
        assert state(world, run)["digest"] == old
    listed = world.second.http.get("/runs", params={"pipeline": name}).json()["runs"]
    assert {listed_run["id"] for listed_run in listed} == set(runs)
    (shadow,) = world.second.http.get("/runs", params={"shadow_of": runs[0]}).json()["runs"]
    assert state(world, shadow["id"])["shadow_of"] == runs[0]
    assert set(results(world, name)) == set(runs)
    assert f'millrace_shadow_comparisons{{pipeline="{name}",verdict="different"}} 2.0' in wait(
        lambda: (text := world.first.http.get("/metrics").text).count(name) > 2 and text, "the figures have it"
    )


def test_a_cancelled_run_takes_its_shadow_with_it(gateways_with_worker: GatewayWorld) -> None:
    """A run's shadow ends with it: there would be nothing to compare it with."""
    world, name = gateways_with_worker, fresh()
    put(world, steps(name, 1, 60.0))
    put(world, steps(name, 2, 60.0), shadow=True)
    run = submit(world, name, n=1)
    (shadow,) = wait(
        lambda: world.second.http.get("/runs", params={"shadow_of": run}).json()["runs"], "the shadow has begun"
    )
    assert world.second.http.delete(f"/runs/{run}").status_code == 202
    assert ended(world, run)["status"] == "cancelled"
    assert ended(world, shadow["id"])["status"] == "cancelled"


def results(world: GatewayWorld, name: str) -> list[str]:
    """The runs of which a result was published."""
    topic = world.connections.names.results(name)

    async def read() -> list[str]:
        keys = []
        for number in range(world.settings.partitions):
            end = (await world.connections.offsets.ends([Place(topic, number)]))[Place(topic, number)]
            keys += [
                record.key.decode()
                for record in await world.connections.offsets.read(Place(topic, number), 0, end)
                if record.key
            ]
        return keys

    return world.loop(read())


def test_a_request_from_kafka_takes_the_version_that_its_run_says(gateways_with_worker: GatewayWorld) -> None:
    """Delivered again, a foreign request is the same run on the same version."""
    world, name = gateways_with_worker, fresh()
    put(world, steps(name, 1))
    put(world, steps(name, 50), canary="50%")

    async def send() -> None:
        from streams.wire.records import Outgoing

        await world.connections.producer.send(
            Outgoing(world.connections.names.requests(name), None, json.dumps({"n": 1}).encode(), ())
        )

    for _ in range(4):
        world.loop(send())
    wait(lambda: len(results(world, name)) == 4, "all four have a result")
    kinds = {state(world, run)["output"]["n"] for run in results(world, name)}
    assert kinds <= {2, 51}
