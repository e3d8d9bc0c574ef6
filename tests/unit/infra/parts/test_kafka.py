"""What the broker is told."""

import re
import uuid

import pytest

from infra.local.parts.kafka import cluster_id


def test_a_cluster_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that would begin with a dash is drawn again, and what comes is 22 characters of base64."""
    drawn = iter([uuid.UUID(int=62 << 122), uuid.UUID(int=1)])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(drawn))
    assert re.fullmatch(r"\w[\w-]{21}", cluster_id())
    assert next(drawn, None) is None
