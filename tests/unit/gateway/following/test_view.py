"""Events folded into a run's state."""

import json
from typing import Any

import pytest

from gateway.api.problems import Problem
from gateway.data.render import event_json
from gateway.following.view import RunView, result

REF = {"bucket": "b", "key": "runs/r/ab", "size": 3, "sha256": "ab", "media_type": "image/png"}


def event(kind: str, time: float, node: str = "", path: str = "", attempt: int = 0, /, **data: Any) -> dict[str, Any]:
    """An event as a client gets it."""
    made: dict[str, Any] = json.loads(event_json("r", kind, node, path, time, attempt, data))
    return made


def test_a_run_from_its_events() -> None:
    """State, times, input, output and every node execution come from the events alone."""
    made = RunView("r").fold(
        [
            event("run.accepted", 0.0, pipeline="p", digest="d", input={"photo": REF}),
            event("node.started", 1.0, "blur", "blur", 1, service="image-blur", input={"image": REF}),
            event("node.retrying", 2.0, "blur", "blur", 1, reason="out of memory", delay=1.0),
            event("node.started", 3.0, "blur", "blur", 2, service="image-blur", input={"image": REF}),
            event("node.finished", 4.5, "blur", "blur", 2, output={"image": REF}),
            event("node.skipped", 4.6, "look", "look", reason="when: false is false"),
            event("run.finished", 5.0, output={"image": REF}),
        ]
    )
    document = made.to_json()
    assert (document["pipeline"], document["digest"], document["status"]) == ("p", "d", "finished")
    assert document["accepted_at"] == "1970-01-01T00:00:00.000Z"
    assert document["seconds"] == 5.0
    assert document["input"]["photo"] == {"ref": REF, "href": "/objects/b/runs/r/ab"}
    assert document["output"]["image"]["href"] == "/objects/b/runs/r/ab"
    assert document["counts"] == {"finished": 1, "skipped": 1}
    blur, look = document["nodes"]
    assert (blur["status"], blur["attempt"], blur["seconds"]) == ("finished", 2, 1.5)
    assert (blur["service"], "retry" in blur) == ("image-blur", False)
    assert look["reason"] == "when: false is false"


def test_progress_stands_at_its_node_while_it_works() -> None:
    """The newest word of an attempt is shown, and none of it once the attempt or the node is over."""
    said = {"service": "digit-train", "number": 2, "text": "epoch 2 of 3", "done": 0.67}
    begun = [event("run.accepted", 0.0), event("node.started", 1.0, "train", "train", 1, service="digit-train")]
    made = RunView("r").fold([*begun, event("node.progress", 2.0, "train", "train", 1, **{**said, "number": 1})])
    made.fold([event("node.progress", 3.0, "train", "train", 1, **said)])
    train = made.to_json()["nodes"][0]
    assert (made.status, train["status"], train["service"]) == ("running", "started", "digit-train")
    assert train["progress"] == {"number": 2, "text": "epoch 2 of 3", "done": 0.67}
    made.fold([event("node.retrying", 4.0, "train", "train", 1, reason="out of memory")])
    assert "progress" not in made.to_json()["nodes"][0]
    made.fold(
        [event("node.progress", 5.0, "train", "train", 2, **said), event("node.finished", 6.0, "train", "train", 2)]
    )
    assert "progress" not in made.to_json()["nodes"][0]


def test_a_waiting_run_says_for_what() -> None:
    """A run without a live worker names the service, until something happens."""
    made = RunView("r").fold([event("run.accepted", 0.0), event("run.waiting", 1.0, service="image-blur")])
    assert (made.status, made.waiting_for) == ("waiting", "image-blur")
    made.fold([event("node.started", 2.0, "blur", "blur", 1)])
    assert (made.status, made.waiting_for) == ("running", None)


def test_a_failure_keeps_its_place_beside_the_events_time() -> None:
    """The place that a failure names does not hide when the event was."""
    failed = event("run.failed", 3.0, reason="no such area", fault="caller", at="faces[3].thumb", hint="stay inside")
    assert failed["at"] == "1970-01-01T00:00:03.000Z"
    assert failed["where"] == "faces[3].thumb"
    assert RunView("r").fold([failed]).failure == {
        "reason": "no such area", "fault": "caller", "where": "faces[3].thumb", "hint": "stay inside",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("run.failed", {"reason": "x", "fault": "caller"}, 422),
        ("run.failed", {"reason": "x", "fault": "service"}, 502),
        ("run.failed", {"reason": "x", "fault": "pipeline"}, 500),
        ("run.failed", {"reason": "x"}, 502),
        ("run.failed", {"reason": "the run's deadline passed", "fault": "service"}, 504),
        ("run.cancelled", {"reason": "cancelled"}, 409),
    ],
)
def test_a_failed_run_is_a_problem_with_the_status_of_its_fault(kind: str, data: dict[str, Any], status: int) -> None:
    """Who looks only at the status learns whose fault it was; who reads on learns what and where."""
    with pytest.raises(Problem) as caught:
        result("r", event(kind, 1.0, **data))
    document = caught.value.to_json()
    assert document["status"] == status
    assert document["id"] == "r"
    assert document["failure"]["reason"] == data["reason"]


def test_the_result_of_a_finished_run() -> None:
    """A finished run has its output, with the addresses of its images."""
    assert result("r", event("run.finished", 1.0, output={"n": 1}))["output"] == {"n": 1}
