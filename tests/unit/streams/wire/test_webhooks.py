"""Signing what is posted to other systems."""

import base64
import hashlib
import hmac

import pytest

from streams.wire.webhooks import BadSecret, headers, pause


def test_the_signature_is_the_standards() -> None:
    """Over id, time and body, under the key that the secret holds; seen by a receiver that follows the standard's words."""
    key = bytes(range(24))
    made = headers("msg_1", 1614265330.9, b'{"test": 2432232314}', "whsec_" + base64.b64encode(key).decode())
    signed = hmac.new(key, b'msg_1.1614265330.{"test": 2432232314}', hashlib.sha256).digest()
    assert made == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def test_a_published_example_comes_out() -> None:
    """The example of the standard's reference libraries."""
    made = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_without_the_prefix_is_taken_as_written() -> None:
    """Another body, time, id or secret gives another signature; a prefix without base64 is refused without being shown."""
    given = [
        ("a", 1.0, b"x", "secret"),
        ("b", 1.0, b"x", "secret"),
        ("a", 2.0, b"x", "secret"),
        ("a", 1.0, b"y", "secret"),
    ]
    made = {headers(*one)["webhook-signature"] for one in [*given, ("a", 1.0, b"x", "secret2")]}
    assert len(made) == 5
    with pytest.raises(BadSecret) as caught:
        headers("a", 1.0, b"x", "whsec_%%%hidden")
    assert "hidden" not in str(caught.value)


def test_pauses_grow_to_a_limit() -> None:
    """Twice as long each time, and never longer than the limit, however many tries there were."""
    assert [pause(tries, 5.0, 60.0) for tries in (1, 2, 3, 4, 5, 6, 5000)] == [5, 10, 20, 40, 60, 60, 60]
