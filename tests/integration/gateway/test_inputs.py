"""Inputs over HTTP: JSON, parts, data URLs and refs; and every kind of wrong input answered clearly."""

import base64
import contextlib
import hashlib
import http.client
import json
import secrets
import socket
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.api.limits import Limits
from streams.wire.codec import RUN
from streams.wire.records import Place
from tests.integration.support.gateway_world import Gateway, GatewayWorld, png, wait

SMALL = png(3, 2)
OTHER = png(4, 4, 200)


def data_url(data: bytes, kind: str = "image/png") -> str:
    """The bytes as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def given(world: GatewayWorld, run: str, pipeline: str = "pass-photo") -> dict[str, Any]:
    """The record that flow gets for a run."""
    topic = world.connections.names.requests(pipeline)
    places = [Place(topic, number) for number in range(world.settings.partitions)]
    ends = world.loop(world.connections.offsets.ends(places))
    for place in places:
        for one in world.loop(world.connections.offsets.read(place, 0, ends[place])):
            if one.header(RUN) == run.encode():
                made: dict[str, Any] = world.loop(world.connections.codec.decode(one.value or b""))
                return made
    raise AssertionError("there is no request")


def post(world: GatewayWorld, **more: Any) -> Any:
    """A submission of a photo."""
    return world.first.http.post("/pipelines/pass-photo/runs", **more)


def accepted(world: GatewayWorld, **more: Any) -> dict[str, Any]:
    """What flow gets of a submission that is accepted."""
    answer = post(world, **more)
    assert answer.status_code == 202, answer.text
    return given(world, answer.json()["id"])


def stored(world: GatewayWorld, ref: dict[str, Any]) -> bytes:
    """The bytes that a ref leads to, which must be what it says."""
    data = world.loop(world.connections.store.read(ref["key"]))
    assert (ref["size"], ref["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert ref["key"].startswith("runs/")
    assert ref["key"].endswith("/" + ref["sha256"])
    return data


def test_parts(gateways: GatewayWorld) -> None:
    """An image is a part, a list of images the part repeated, every other input a part of text or JSON."""
    record = accepted(
        gateways,
        files=[
            ("photo", ("holiday.png", SMALL, "image/png")),
            ("others", ("a.exe", SMALL, "application/x-dosexec")),
            ("others", ("b", OTHER, "text/plain")),
        ],
        data={"areas": '[{"x": 1, "y": 2}]', "strength": "0.5", "mode": "hard"},
    )
    assert stored(gateways, record["photo"]) == SMALL
    assert [stored(gateways, ref) for ref in record["others"]] == [SMALL, OTHER]
    assert record["photo"]["media_type"] == "image/png"
    assert (record["areas"], record["strength"], record["mode"]) == ([{"x": 1, "y": 2}], 0.5, "hard")


def test_other_inputs_together_in_one_part(gateways: GatewayWorld) -> None:
    """The part `data` holds the other inputs as one JSON object, and defaults fill in what is missing."""
    files = {"photo": ("p", SMALL), "data": (None, json.dumps({"areas": [{"x": 0, "y": 0}], "mode": "hard"}))}
    record = accepted(gateways, files=files)
    assert (record["areas"], record["strength"], record["mode"]) == ([{"x": 0, "y": 0}], 0.8, "hard")


def test_data_urls(gateways: GatewayWorld) -> None:
    """In JSON an image may be a data URL; it is stored like an upload."""
    record = accepted(gateways, json={"photo": data_url(SMALL), "others": [data_url(OTHER, "image/jpeg")]})
    assert stored(gateways, record["photo"]) == SMALL
    assert record["others"][0]["media_type"] == "image/png"  # found from the content, whatever was said


def test_refs(gateways: GatewayWorld) -> None:
    """The image of an earlier run may be sent on, bare or as an output shows it; it is not stored again."""
    first = accepted(gateways, json={"photo": data_url(SMALL)})["photo"]
    again = accepted(gateways, json={"photo": first, "others": [{"ref": first, "href": "/objects/x"}]})
    assert again["photo"] == first
    assert again["others"] == [first]
    as_part = accepted(gateways, files={"photo": (None, json.dumps(first))})
    assert as_part["photo"] == first


def test_refs_that_a_caller_may_not_send(gateways: GatewayWorld) -> None:
    """A ref is taken only when it is exactly that of an object of ours that callers may read."""
    world = gateways
    good = accepted(world, json={"photo": data_url(SMALL)})["photo"]
    world.loop(world.connections.store.write("secrets/key", SMALL, "image/png"))
    wrong = [
        ({**good, "bucket": "other"}, "may read"),
        ({**good, "key": "secrets/key"}, "may read"),
        ({**good, "key": "runs/../secrets/key"}, "may read"),
        ({**good, "key": ""}, "may read"),
        ({**good, "key": f"runs/{secrets.token_hex(4)}/{good['sha256']}"}, "no object"),
        ({**good, "size": good["size"] + 1}, "bytes"),
        ({**good, "sha256": "0" * 64}, "SHA-256"),
        ({**good, "media_type": "text/html"}, "image/png"),
    ]
    for ref, says in wrong:
        answer = post(world, json={"photo": ref})
        assert answer.status_code == 422, ref
        error = answer.json()["errors"][0]
        assert error["where"] == "photo"
        assert says in error["problem"], error


def test_objects_of_data_sets_may_be_sent(gateways: GatewayWorld) -> None:
    """An object under datasets/ may be sent when its bytes are what the ref says."""
    world = gateways
    key = f"datasets/test-{secrets.token_hex(4)}/cell.png"
    world.loop(world.connections.store.write(key, OTHER, "image/png"))
    digest = hashlib.sha256(OTHER).hexdigest()
    ref = {
        "bucket": world.connections.store.bucket,
        "key": key,
        "size": len(OTHER),
        "sha256": digest,
        "media_type": "image/png",
    }
    assert accepted(world, json={"photo": ref})["photo"] == ref
    assert post(world, json={"photo": {**ref, "sha256": "1" * 64}}).status_code == 422


BOMB = png(12_000, 9_000)


@pytest.mark.parametrize(
    ("body", "where", "says"),
    [
        ({}, "photo", ""),
        ({"photo": None}, "photo", ""),
        ({"photo": 5}, "photo", "image"),
        ({"photo": "holiday.png"}, "photo", "image"),
        ({"photo": "data:image/png;base64"}, "photo", "comma"),
        ({"photo": "data:image/png;base64,@@@@"}, "photo", "base64"),
        ({"photo": data_url(b"")}, "photo", "empty"),
        ({"photo": data_url(b"<svg/>")}, "photo", "SVG"),
        ({"photo": data_url(b"%PDF-1.7")}, "photo", "PDF"),
        ({"photo": data_url(SMALL[:20])}, "photo", ""),
        ({"photo": data_url(BOMB)}, "photo", "pixels"),
        ({"photo": {"bucket": "millrace"}}, "photo.key", ""),
        ({"photo": data_url(SMALL), "others": [data_url(b"x")]}, "others[0]", "picture"),
        ({"photo": data_url(SMALL), "strength": 2}, "strength", ""),
        ({"photo": data_url(SMALL), "strength": "much"}, "strength", ""),
        ({"photo": data_url(SMALL), "mode": "medium"}, "mode", ""),
        ({"photo": data_url(SMALL), "areas": [{"x": 1}]}, "areas[0].y", ""),
        ({"photo": data_url(SMALL), "areas": [{"x": 1.5, "y": 0}]}, "areas[0].x", ""),
        ({"photo": data_url(SMALL), "blur": 1}, "blur", ""),
        ([], "", ""),
        ("text", "", ""),
    ],
)
def test_json_that_does_not_fit(gateways: GatewayWorld, body: Any, where: str, says: str) -> None:
    """Every wrong input is a 422 that names the place."""
    answer = post(gateways, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    error = next(one for one in answer.json()["errors"] if one["where"] == where)
    assert says in error["problem"]


def test_very_many_problems(gateways: GatewayWorld) -> None:
    """A small body with thousands of mistakes is answered at once, in an answer of its size, and keeps nobody waiting."""
    first = accepted(gateways, json={"photo": data_url(SMALL)})["photo"]
    lost = [{**first, "key": f"runs/{number}/{first['sha256']}"} for number in range(300)]
    wrong: tuple[list[Any], ...] = (["x"] * 15_000, [data_url(b"nothing")] * 1500, [1] * 20_000, [{}] * 10_000, lost)
    for others in wrong:
        answer = post(gateways, json={"photo": first, "others": others})
        assert answer.status_code == 422
        assert 100 <= len(answer.json()["errors"]) <= 300
    assert post(gateways, json={"photo": first, "others": [first] * 1000}).status_code == 202


def test_every_problem_at_once(gateways: GatewayWorld) -> None:
    """All that is wrong is said in one answer, images included."""
    body = {"photo": data_url(b"nothing"), "others": [data_url(SMALL), "x"], "strength": 7, "mode": "m", "zoom": 1}
    errors = post(gateways, json=body).json()["errors"]
    assert {one["where"] for one in errors} == {"photo", "others[1]", "strength", "mode", "zoom"}


def test_nothing_is_stored_of_a_refused_request(gateways: GatewayWorld) -> None:
    """A request that is refused leaves no object behind."""
    world = gateways
    unique = png(5, 5, 77)
    digest = hashlib.sha256(unique).hexdigest()
    assert post(world, json={"photo": data_url(unique), "mode": "m"}).status_code == 422
    assert not [key for key in world.loop(world.connections.store.list("runs/")) if key.endswith(digest)]


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"photo": ("p", SMALL), "picture": ("p", SMALL)}, "picture"),
        ({"photo": ("p", SMALL), "strength": (None, "strong")}, "strength"),
        ({"photo": ("p", SMALL), "areas": (None, "[1,")}, "areas"),
        ({"photo": ("p", SMALL), "data": (None, "[]")}, "data"),
        ({"photo": ("p", SMALL), "data": (None, "{")}, "data"),
        ({"photo": ("p", SMALL), "mode": ("m", b"\xff\xfe\xfa")}, "mode"),
        ({"photo": ("p", SMALL), "mode": (None, "so\0ft")}, "mode"),
        ([("photo", ("p", SMALL)), ("photo", ("q", OTHER))], "photo"),
        ({"photo": ("p", b"GIF87a")}, "photo"),
        ({"strength": (None, "1")}, "photo"),
    ],
)
def test_parts_that_do_not_fit(gateways: GatewayWorld, files: Any, where: str) -> None:
    """A wrong part is a 422 that names it."""
    answer = post(gateways, files=files)
    assert answer.status_code == 422, answer.text
    assert where in {one["where"] for one in answer.json()["errors"]}


JSON = {"content-type": "application/json"}
LARGE = json.dumps({"photo": data_url(SMALL)}).encode() + b" " * 100_000
FORM = b'--x\r\nContent-Disposition: form-data; name="strength"\r\n\r\n0.5\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"photo": NaN}', "application/json", 400),
        (b'{"a":1,"a":2}', "application/json", 400),
        (b"[" * 1000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"photo=x", "application/x-www-form-urlencoded", 415),
        (SMALL, "image/png", 415),
        (b"<photo/>", "application/xml", 415),
        (b"--x", "multipart/form-data", 400),
        (b"no boundary here", "multipart/form-data; boundary=x", 400),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", "multipart/form-data; boundary=x", 400),
        (FORM[:-5], "multipart/form-data; boundary=x", 400),
        (FORM[:-1], "multipart/form-data; boundary=x", 422),
        (FORM, "multipart/form-data; boundary=x; charset=undefined", 400),
        (b"", "application/json", 422),
        (b"--x--", "multipart/form-data; boundary=x", 422),
        (b"", "multipart/form-data; boundary=x", 422),
    ],
)
def test_bodies_that_cannot_be_read(gateways: GatewayWorld, body: bytes, kind: str, status: int) -> None:
    """What cannot be understood at all is the caller's fault, said as a problem, never a 500."""
    answer = post(gateways, content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_bodies_that_are_too_large(gateways: GatewayWorld, tmp_path: Path) -> None:
    """A body over the limit is a 413, whether it says its length or comes in chunks, and however it is cut up."""
    (tmp_path / "api-key").write_text(gateways.first.key)
    limits = Limits(body=200_000, json=100_000, parts=4)
    gateway = Gateway(replace(gateways.settings, home=tmp_path), limits).ready()

    def status(**more: Any) -> int:
        return gateway.http.post("/pipelines/pass-photo/runs", **more).status_code

    try:
        large = b'{"photo": "' + b"x" * 200_000 + b'"}'
        kind = {"content-type": "application/json"}
        assert status(content=large, headers=kind) == 413
        assert status(content=(large[at : at + 1000] for at in range(0, len(large), 1000)), headers=kind) == 413
        assert status(files={"photo": ("p", b"x" * 300_000)}) == 413
        assert status(files=[("others", (f"{number}", SMALL)) for number in range(6)]) == 400
        assert status(files={"mode": (None, "x" * 150_000)}) == 400
        assert status(files={"photo": ("p", SMALL)}) == 202
    finally:
        gateway.stop()


def test_a_body_that_stalls_gives_way(gateways: GatewayWorld, tmp_path: Path) -> None:
    """Uploads whose clients were lost hold nobody up, and are waited for as long as nobody else comes."""
    (tmp_path / "api-key").write_text(gateways.first.key)
    gateway = Gateway(replace(gateways.settings, home=tmp_path), Limits(uploads=2, pause=0.2)).ready()
    head = (
        f"POST /pipelines/pass-photo/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(LARGE)}\r\n\r\n"
    )
    port = int(gateway.url.rpartition(":")[2])
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 20) as lost,
            socket.create_connection(("127.0.0.1", port), 20) as slow,
        ):
            lost.sendall(head.encode() + LARGE[:1])
            assert gateway.http.post("/pipelines/pass-photo/runs", content=LARGE, headers=JSON).status_code == 202
            slow.sendall(head.encode() + LARGE[:1000])
            places = gateway.app.components.submission.uploads._slots
            wait(places.locked, "both places are taken")
            assert gateway.http.post("/pipelines/pass-photo/runs", content=LARGE, headers=JSON).status_code == 202
            answers = []
            for one, sent in ((lost, 1), (slow, 1000)):
                with contextlib.suppress(OSError):
                    one.sendall(LARGE[sent:])
                with contextlib.suppress(OSError):
                    answers.append(one.recv(1000).split(b"\r\n")[0])
            assert b"HTTP/1.1 408 Request Timeout" in answers
    finally:
        gateway.stop()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/pipelines/pass-photo/runs", {}, 413),
        ("/pipelines/nothing/runs", {}, 404),
        ("/pipelines/pass-photo/runs", {"authorization": "Bearer wrong"}, 401),
        ("/pipelines/pass-photo/runs", {"content-length": "", "transfer-encoding": "chunked"}, 413),
        ("/pipelines/pass-photo/runs", {"prefer": "wait=soon"}, 400),
    ],
)
def test_a_client_that_sends_all_before_reading_learns_why_it_was_refused(
    gateways: GatewayWorld, path: str, headers: dict[str, str], status: int
) -> None:
    """Many clients do: a connection that is closed on what they still send is all that they would see."""
    world = gateways
    given = {"authorization": f"Bearer {world.first.key}", "content-type": "application/json", "connection": "close"}
    body = bytes(30_000_000)
    for _ in range(3):
        connection = http.client.HTTPConnection(world.first.url.removeprefix("http://"), timeout=30)
        chunked = "transfer-encoding" in headers
        sent = given | {name: value for name, value in headers.items() if value}
        connection.request("POST", path, [body] if chunked else body, sent, encode_chunked=chunked)
        answer = connection.getresponse()
        assert answer.status == status
        assert json.loads(answer.read())["status"] == status
        connection.close()


def test_a_client_that_asks_before_sending_is_answered_at_once(gateways: GatewayWorld) -> None:
    """A body that is refused by its length is not asked for."""
    with socket.create_connection(("127.0.0.1", int(gateways.first.url.rpartition(":")[2])), timeout=10) as sock:
        sock.sendall(
            f"POST /pipelines/pass-photo/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateways.first.key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b" 413 " in sock.recv(1000).split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("headers", "says"),
    [({"idempotency-key": "a b"}, "Idempotency-Key"), ({"prefer": "wait=soon"}, "wait")],
)
def test_wrong_headers(gateways: GatewayWorld, headers: dict[str, str], says: str) -> None:
    """A header that cannot be understood is a 400, not passed over."""
    answer = post(gateways, json={"photo": data_url(SMALL)}, headers=headers)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_an_unknown_pipeline_or_service(gateways: GatewayWorld) -> None:
    """Running what does not exist is a 404 that says what was near."""
    answer = gateways.first.http.post("/pipelines/pass-foto/runs", json={})
    assert answer.status_code == 404
    assert "pass-photo" in answer.json()["detail"]
    assert gateways.first.http.post("/services/nobody/runs", json={}).status_code == 404
    assert (
        gateways.first.http.post("/services/greet/runs", json={"name": "x"}).status_code == 404
    )  # a pipeline, no service


def test_json_of_countless_values(gateways: GatewayWorld) -> None:
    """Brackets that would become gigabytes of lists are a 413, as a body, as a part and as several parts."""
    many = b"[" + b"[]," * 400_000 + b"1]"
    assert post(gateways, content=b'{"areas": ' + many * 2 + b"}").status_code == 413
    parts = [("data", (None, '{"mode": "soft"}')), *(("areas", (None, many)) for _ in range(3))]
    answer = post(gateways, files=parts)
    assert answer.status_code == 413
    assert "1,000,000" in answer.json()["detail"]


def test_the_header_of_a_picture_in_countless_pieces(gateways: GatewayWorld) -> None:
    """It is refused as an input that does not fit, by its name."""
    chunk = bytes(4) + b"abCd" + zlib.crc32(b"abCd").to_bytes(4, "big")
    answer = post(gateways, files={"photo": SMALL[:33] + chunk * 100_000 + SMALL[33:]})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["where"] == "photo"
    assert "pieces" in fault["problem"]
