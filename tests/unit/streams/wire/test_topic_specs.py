"""What each topic needs from the broker."""

import pytest

from streams.wire import topic_specs, topics
from streams.wire.topics import Topics

SPECS = {
    spec.name: spec for spec in topic_specs.every(Topics(), 8, services=[("image-blur", 1)], pipelines=["face-blur"])
}


@pytest.mark.parametrize(
    "name", ["pipeline.face-blur.requests", "pipeline.image-blur.results", "task.image-blur.v1", "retry.1s"]
)
def test_more_partitions_do_no_harm_where_keys_need_not_meet(name: str) -> None:
    """Somebody may add partitions to such a topic; fewer than there should be are refused with what to do."""
    assert SPECS[name].differs(8) is None
    assert SPECS[name].differs(12) is None
    assert "8 are needed: add some" in str(SPECS[name].differs(4))


@pytest.mark.parametrize("name", [topics.EVENTS, topics.TOKENS, topics.STATE])
def test_other_partitions_are_refused_where_they_must(name: str) -> None:
    """A run's records would stand in two partitions."""
    assert SPECS[name].differs(8) is None
    for count in (4, 12):
        assert "its keys would land elsewhere" in str(SPECS[name].differs(count))


def test_the_broker_stamps_what_others_send() -> None:
    """Requests, and only they, come with the clocks of others."""
    stamped = {name for name, spec in SPECS.items() if spec.config.get("message.timestamp.type") == "LogAppendTime"}
    assert stamped == {name for name in SPECS if Topics().is_requests(name)} != set()
