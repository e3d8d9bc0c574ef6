"""What is kept of an answer that a model gave."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.contracts import Contract
from schemas.refs import Ref
from streams.advance import advance
from streams.messages import Context, Event, EventKind, Outcome, Run, Status, Task
from streams.predictions import KEY, about, confidence, digest
from tests.unit.streams.core import pipeline

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


def test_only_answers_of_models_are_told_of() -> None:
    """An answer that names its model says which prediction it is; others, and those without a model, say nothing more."""
    given = task(image=ref(), x=1)
    told = about(READER, given, {"model": "m", "model_version": "1", "word": "w"})
    assert told[KEY]["service"] == "reader"
    assert told[KEY]["input"] == digest(INPUT, given.input)
    assert about(PLAIN, given, {"word": "w"}) == {}
    assert about(READER, given, {"model": "", "model_version": "", "word": "w"}) == {}
    elsewhere = about(READER, replace(given, at=(3,)), {"model": "m", "model_version": "1", "word": "w"})
    assert elsewhere[KEY]["id"] != told[KEY]["id"]
    assert elsewhere[KEY]["input"] == told[KEY]["input"]


def test_the_event_of_the_end_carries_it() -> None:
    """`node.finished` of the answer has what was said about it beside the output, and the prediction's id is the event's."""
    made = pipeline('nodes:\n  t: {service: calc, with: {x: "${n}"}}\noutput: {r: "${t.v}"}')
    asked = replace(task(x=1), vertex="t", at=(), path="t")
    said = about(READER, replace(asked, input={"image": ref(), "x": 1}), {"model": "m", "model_version": "1"})
    sent = advance(made, asked, Outcome(Status.VALUE, {"v": 4}, about=said))
    (event,) = [one for one in sent if isinstance(one, Event) and one.kind is EventKind.FINISHED and one.vertex == "t"]
    assert event.data == {"output": {"v": 4}, **said}
    assert event.id == said[KEY]["id"]


@pytest.mark.parametrize(("said", "sure"), [(0.25, 0.25), (1, 1.0), (True, None), ("high", None), (7.0, None)])
def test_a_confidence_is_a_share(said: Any, sure: float | None) -> None:
    """Only a number from 0 to 1 is one."""
    assert confidence({"confidence": said}) == sure
    assert confidence({}) is None
