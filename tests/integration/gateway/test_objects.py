"""The bytes of objects over HTTP."""

import secrets

import pytest

from schemas.refs import Ref
from tests.integration.support.gateway_world import GatewayWorld, png

PHOTO = png(40, 30, 9)


def put(world: GatewayWorld, data: bytes, media_type: str, key: str = "") -> Ref:
    """An object of some run, or under a key."""
    if key:
        world.loop(world.connections.store.write(key, data, media_type))
        return Ref(world.connections.store.bucket, key, len(data), "", media_type)
    return world.loop(world.connections.store.put(f"test-{secrets.token_hex(4)}", data, media_type))


def address(ref: Ref) -> str:
    """Where its bytes are."""
    return f"/objects/{ref.bucket}/{ref.key}"


def test_an_image(gateways: GatewayWorld) -> None:
    """An image comes with its media type, its hash as ETag, and nothing that a browser could run."""
    ref = put(gateways, PHOTO, "image/png")
    answer = gateways.second.http.get(address(ref))
    assert (answer.status_code, answer.content) == (200, PHOTO)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(PHOTO))
    assert answer.headers["etag"] == f'"{ref.sha256}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"] == f'inline; filename="{ref.sha256[:12]}.png"'
    head = gateways.second.http.head(address(ref))
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PHOTO)))


def test_an_image_that_is_known_is_not_sent_again(gateways: GatewayWorld) -> None:
    """With the ETag that it has, a client is told that it has it."""
    ref = put(gateways, PHOTO, "image/png")
    answer = gateways.first.http.get(address(ref), headers={"if-none-match": f'"{ref.sha256}"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert gateways.first.http.get(address(ref), headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/javascript", "application/x-unknown"])
def test_objects_that_a_browser_could_run_are_only_saved(gateways: GatewayWorld, kind: str) -> None:
    """Whatever type an object was stored with, only known image types are shown in place."""
    answer = gateways.first.http.get(address(put(gateways, b"<script>alert(1)</script>", kind)))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("span", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=10-", 206, 10, None),
        ("bytes=-5", 206, -5, None),
        ("bytes=5-99999999", 206, 5, None),
        ("bytes=-99999999", 206, 0, None),
        ("bytes=0-1,4-5", 200, 0, None),
        ("chars=0-1", 200, 0, None),
        ("bytes=-", 200, 0, None),
    ],
)
def test_ranges(gateways: GatewayWorld, span: str, status: int, start: int, stop: int | None) -> None:
    """One range of bytes may be asked for; what is no such range is answered with the whole."""
    answer = gateways.first.http.get(address(put(gateways, PHOTO, "image/png")), headers={"range": span})
    assert (answer.status_code, answer.content) == (status, PHOTO[start:stop])
    if status == 206:
        assert answer.headers["content-range"].endswith(f"/{len(PHOTO)}")


@pytest.mark.parametrize("span", ["bytes=99999999-", "bytes=9-3", "bytes=-0"])
def test_ranges_outside(gateways: GatewayWorld, span: str) -> None:
    """A range that does not exist is a 416 that says how long the object is."""
    answer = gateways.first.http.get(address(put(gateways, PHOTO, "image/png")), headers={"range": span})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(PHOTO)}"


def test_a_large_object_comes_in_pieces(gateways: GatewayWorld) -> None:
    """An object of several megabytes comes whole, without being held at once."""
    data = secrets.token_bytes(5_000_000)
    answer = gateways.first.http.get(address(put(gateways, data, "application/octet-stream")))
    assert answer.content == data


def test_objects_that_callers_may_not_see_are_404(gateways: GatewayWorld) -> None:
    """Other buckets, other prefixes, ways out of the prefixes and missing objects are all the same 404."""
    world = gateways
    bucket = world.connections.store.bucket
    put(world, b"secret", "text/plain", "secrets/key")
    put(world, b"secret", "text/plain", "catalog/x")
    for path in (
        f"/objects/{bucket}/secrets/key",
        f"/objects/{bucket}/catalog/x",
        f"/objects/{bucket}/runs/../secrets/key",
        f"/objects/{bucket}/runs/%2e%2e/secrets/key",
        f"/objects/{bucket}/runs/..%2fsecrets/key",
        f"/objects/{bucket}/runs//x",
        f"/objects/{bucket}/runs/",
        f"/objects/{bucket}/runs",
        f"/objects/{bucket}/",
        f"/objects/{bucket}/runs/x/{'0' * 64}",
        f"/objects/other/runs/x/{'0' * 64}",
        f"/objects/{bucket}/runs/x%00",
    ):
        answer = world.first.http.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"


def test_objects_need_the_key(gateways: GatewayWorld) -> None:
    """Whoever has no key sees no object."""
    ref = put(gateways, PHOTO, "image/png")
    assert gateways.first.http.get(address(ref), headers={"authorization": ""}).status_code == 401
