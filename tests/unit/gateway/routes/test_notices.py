"""Notices of ended runs over HTTP, on a gateway in memory."""

import uuid

import pytest

from tests.unit.gateway.memory.gateway import MemoryGateway


def test_notices_are_listed(gateway: MemoryGateway) -> None:
    """By state, run and time; of a web address the host alone, since the rest may be a token."""
    run = str(uuid.uuid4())
    waiting = gateway.notices.add(run=run)
    failed = gateway.notices.add(run=run, outcome="given up", tries=10, error="it answered 500")
    listed = gateway.http.get("/notices", params={"run": run}).json()["notices"]
    assert {notice["id"] for notice in listed} == {waiting, failed}
    assert {notice["to"] for notice in listed} == {"https://hooks.example"}
    (lost,) = gateway.http.get("/notices", params={"run": run, "state": "given up"}).json()["notices"]
    assert (lost["id"], lost["error"], lost["next_try_at"]) == (failed, "it answered 500", None)
    assert gateway.http.get("/notices?state=lost").status_code == 422
    assert gateway.http.get("/notices?since=2999-01-01").json()["notices"] == []


def test_a_notice_is_sent_again(gateway: MemoryGateway) -> None:
    """It waits again, and its tries count from zero."""
    identity = gateway.notices.add(outcome="given up", tries=10)
    answer = gateway.http.post(f"/notices/{identity}/resend")
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["tries"]) == ("waiting", 0)


@pytest.mark.parametrize("identity", ["nonsense", "0d9c1a2e-6f6b-4c52-9d0b-5a3e7f1c8b24"])
def test_an_unknown_notice_is_404(gateway: MemoryGateway, identity: str) -> None:
    """Also one whose id cannot be one."""
    assert gateway.http.post(f"/notices/{identity}/resend").status_code == 404
