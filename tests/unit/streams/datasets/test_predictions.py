"""What is kept of an answer that a model gave."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.contracts import Contract
from schemas.refs import Ref
from streams.datasets.predictions import KEY, about, confidence, digest, is_prediction
from streams.flow.advance import advance
from streams.messages import Context, Event, EventKind, Outcome, Run, Status, Task
from tests.unit.streams.compiling import pipeline

PICTURE = {"name": "image", "type": "millrace.Ref"}
INPUT = {"type": "record", "name": "t.In", "fields": [PICTURE, {"name": "x", "type": "int"}]}
TEXTS = [{"name": name, "type": "string"} for name in ("model", "model_version", "word")]
OUTPUT = {"type": "record", "name": "t.Out", "fields": TEXTS}
READER = Contract("reader", "1.0.0", "Reads", "", INPUT, OUTPUT, label="word")
PLAIN = Contract("plain", "1.0.0", "Adds", "", INPUT, {**OUTPUT, "fields": TEXTS[2:]})


def ref(sha256: str = "a" * 64, key: str = "runs/1/x") -> dict[str, Any]:
    """A ref to an object of this content."""
    return Ref("millrace", key, 3, sha256, "image/png").to_dict()


def task(**given: Any) -> Task:
    """A task of a run."""
    return Task(Run("r", "p", "d", 0.0), "t", (2,), "all[2].t", "reader", 1, given, Context())


def test_the_same_content_is_the_same_input() -> None:
    """Where an object lies is no part of the digest; what is in it is, and so is every other value."""
    first = digest(INPUT, {"image": ref(), "x": 1})
    assert first == digest(INPUT, {"x": 1, "image": ref(key="runs/2/y")})
    assert len({first, digest(INPUT, {"image": ref("b" * 64), "x": 1}), digest(INPUT, {"image": ref(), "x": 2})}) == 3


def test_only_answers_of_models_are_predictions() -> None:
    """An answer that names its model is one; others, and answers that none gave, are not."""
    assert is_prediction(READER, {"model": "m", "model_version": "1", "word": "w"})
    assert not is_prediction(PLAIN, {"word": "w"})
    assert not is_prediction(READER, {"model": "", "model_version": "", "word": "w"})


def test_each_execution_is_a_prediction_of_its_own() -> None:
    """Two positions of a loop give two ids, also on the same input, which has one digest."""
    first = about(READER, task(image=ref(), x=1))[KEY]
    second = about(READER, replace(task(image=ref(), x=1), at=(3,)))[KEY]
    assert first["service"] == "reader"
    assert first["id"] != second["id"]
    assert first["input"] == second["input"] == digest(INPUT, {"image": ref(), "x": 1})
    assert "kept" not in first


def test_the_event_of_the_end_carries_it() -> None:
    """`node.finished` of the answer has what was said about it beside the output, and the prediction's id is the event's."""
    topology = pipeline('nodes:\n  t: {service: calc, with: {x: "${n}"}}\noutput: {r: "${t.v}"}')
    asked = replace(task(x=1), vertex="t", at=(), path="t")
    kept = Ref.from_dict(ref(key="datasets/objects/x"))
    said = about(READER, replace(asked, input={"image": ref(), "x": 1}), kept)
    sent = advance(topology, asked, Outcome(Status.VALUE, {"v": 4}, about=said))
    (event,) = [one for one in sent if isinstance(one, Event) and one.kind is EventKind.FINISHED and one.vertex == "t"]
    assert event.data == {"output": {"v": 4}, **said}
    assert event.id == said[KEY]["id"]
    assert said[KEY]["kept"] == kept.to_dict()


@pytest.mark.parametrize(("said", "sure"), [(0.25, 0.25), (1, 1.0), (True, None), ("high", None), (7.0, None)])
def test_a_confidence_is_a_share(said: Any, sure: float | None) -> None:
    """Only a number from 0 to 1 is one."""
    assert confidence({"confidence": said}) == sure
    assert confidence({}) is None
