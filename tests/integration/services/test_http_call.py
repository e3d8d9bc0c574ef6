"""Calls to other systems on real servers: what reaches whom, what is sent, and what comes back."""

import asyncio
import base64
import gzip
import io
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from PIL import Image

from agents.services.http_call import Method, Request, Response, Secret, http_call
from agents.web import fetch as fetching
from agents.web.fetch import Answer, Call, fetch
from agents.web.limits import Limits
from agents.web.target import parse
from streams.service.call_context import known_as
from streams.service.errors import InvalidInput, RetryLater
from tests.integration.support.http_server import HttpServer, ReceivedRequest, ResponseWriter, certificate, server
from tests.integration.support.waiting import until

SECRET = "a-very-confidential-token"
LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what may be called, and any other limit."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there: whoever asks a proxy fails

    def setting(*lines: str, **limits: object) -> None:
        monkeypatch.setenv("MILLRACE_HTTP_ALLOW", ",".join(lines))
        for name, value in limits.items():
            monkeypatch.setenv(f"MILLRACE_HTTP_{name.upper()}", str(value))

    return setting


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets a secret `token` that may go to these origins."""

    def setting(*origins: str) -> None:
        (tmp_path / "token").write_text(SECRET)
        (tmp_path / "token.origins").write_text("\n".join(origins))
        monkeypatch.setenv("MILLRACE_HTTP_SECRETS", str(tmp_path))

    return setting


def ask(url: str, **request: Any) -> Response:
    """A call as the service makes it."""
    return http_call(Request(url=url, **request))


def echo(heard: ReceivedRequest, out: ResponseWriter) -> None:
    """Answers with what it heard."""
    said = {"method": heard.method, "path": heard.path, "headers": dict(heard.headers), "body": heard.body.decode()}
    out.send(200, json.dumps(said).encode())


@pytest.fixture
def echo_server() -> Iterator[HttpServer]:
    """A server that answers with what it heard."""
    with server(echo) as made:
        yield made


# What is sent and what comes back ----------------------------------------------------------------------------------


def test_a_get_and_its_answer(echo_server: HttpServer, allow: Any) -> None:
    """Method, path, parameters and headers arrive; status, headers and the value of the JSON come back."""
    allow(f"http://127.0.0.1:{echo_server.port} at {LOOPBACK}")
    answer = ask(echo_server.url("/x?a=1"), query={"b": "ü &"}, headers={"X-Shop": "north"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert (answer.body["method"], answer.body["path"], answer.body["body"]) == ("GET", "/x?a=1&b=%C3%BC+%26", "")
    sent = answer.body["headers"]
    assert (sent["host"], sent["x-shop"], sent["user-agent"]) == (f"127.0.0.1:{echo_server.port}", "north", "millrace")
    assert "idempotency-key" not in sent
    assert answer.image is None


def test_a_body_is_json_or_text(echo_server: HttpServer, allow: Any) -> None:
    """A text is sent as it is, anything else as JSON; a content type of one's own wins."""
    allow(f"POST http://127.0.0.1:{echo_server.port} at {LOOPBACK}")
    for body, headers, data, kind in (
        ({"a": [1, "ü"]}, {}, '{"a":[1,"ü"]}', "application/json"),
        ("plain", {}, "plain", "text/plain; charset=utf-8"),
        ("<a/>", {"Content-Type": "application/xml"}, "<a/>", "application/xml"),
        (False, {}, "false", "application/json"),
    ):
        heard = ask(echo_server.url(), method=Method.POST, body=body, headers=headers).body
        assert (heard["body"], heard["headers"]["content-type"]) == (data, kind)


def test_a_call_names_itself_so_that_it_is_done_once(echo_server: HttpServer, allow: Any) -> None:
    """What changes something carries an Idempotency-Key: the same at every delivery of one task, unless one is given."""
    allow(f"* http://127.0.0.1:{echo_server.port} at {LOOPBACK}")
    for method in (Method.POST, Method.PUT, Method.PATCH, Method.DELETE):
        with known_as("task-1"):
            assert ask(echo_server.url(), method=method).body["headers"]["idempotency-key"] == "task-1"
    own = ask(echo_server.url(), method=Method.POST, headers={"Idempotency-Key": "own"}).body["headers"]
    assert own["idempotency-key"] == "own"


def test_a_body_where_none_may_be(echo_server: HttpServer, allow: Any) -> None:
    """A GET with a body is read differently by different servers, so it is refused; so is a body that is too large."""
    allow(f"* http://127.0.0.1:{echo_server.port} at {LOOPBACK}", request=100)
    with pytest.raises(InvalidInput, match="GET takes no body"):
        ask(echo_server.url(), body="x")
    with pytest.raises(InvalidInput, match="more than the 100 allowed"):
        ask(echo_server.url(), method=Method.POST, body="x" * 101)
    assert echo_server.requests == []


def test_a_picture_becomes_an_object(allow: Any) -> None:
    """A picture is given to be stored after the checks of an upload; what only says that it is one is refused."""
    out_png = io.BytesIO()
    Image.new("RGB", (3, 2)).save(out_png, "PNG")

    def pictures(heard: ReceivedRequest, out: ResponseWriter) -> None:
        out.send(200, out_png.getvalue() if heard.path == "/real" else b"<script>", "image/png")

    with server(pictures) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}")
        made = http_call.invoke({"url": there.url("/real")}, {})
        assert made.output["image"]["media_type"] == "image/png"
        assert [one.data for one in made.objects] == [out_png.getvalue()]
        assert made.output["body"] is None
        with pytest.raises(InvalidInput, match="no picture of a known format"):
            ask(there.url("/false"))


def test_head_and_empty_answers(allow: Any) -> None:
    """An answer without a body has none, whatever its type says."""

    def empty(heard: ReceivedRequest, out: ResponseWriter) -> None:
        out.send_head(
            204 if heard.method == "DELETE" else 200, ("content-type", "application/json"), ("content-length", "0")
        )

    with server(empty) as there:
        allow(f"* http://127.0.0.1:{there.port} at {LOOPBACK}")
        assert ask(there.url(), method=Method.HEAD).body is None
        assert (ask(there.url(), method=Method.DELETE).status, ask(there.url()).body) == (204, None)


@pytest.mark.parametrize(
    ("status", "again", "after"),
    [
        (400, False, 0),
        (401, False, 0),
        (404, False, 0),
        (304, False, 0),
        (408, True, 7),
        (429, True, 7),
        (500, True, 7),
        (503, True, 7),
    ],
)
def test_whose_fault_a_status_is(allow: Any, status: int, again: bool, after: float) -> None:
    """4xx is the caller's and not tried again; 408, 425, 429 and 5xx are, not before the time that the server names."""

    def fails(heard: ReceivedRequest, out: ResponseWriter) -> None:
        out.send(status, b"no\nsuch thing", "text/plain", ("retry-after", "7"))

    with server(fails) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}")
        with pytest.raises(RetryLater if again else InvalidInput) as caught:
            ask(there.url("/x?key=1"))
        said = "" if status == 304 else ": no such thing"
        assert str(caught.value).partition(" (if")[0] == f"GET {there.url('/x')} answered {status}{said}"
        assert getattr(caught.value, "after", 0) == after
        assert ask(there.url(), answers=(status,)).status == status


@pytest.mark.parametrize(
    ("said", "after"), [("99999", 300), ("-3", 0), ("soon", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
)
def test_how_long_a_server_may_put_off(allow: Any, said: str, after: float) -> None:
    """At most the operator's limit; what is past or no time at all puts off nothing."""
    with server(lambda _, out: out.send(503, b"", "text/plain", ("retry-after", said))) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}")
        with pytest.raises(RetryLater) as caught:
            ask(there.url())
        assert caught.value.after == after


# Who is reached ----------------------------------------------------------------------------------------------------


def test_nobody_is_called_by_default(echo_server: HttpServer, allow: Any) -> None:
    """Without a list, a call is refused before a name is resolved."""
    allow()
    with pytest.raises(InvalidInput, match="may not be called from here"):
        ask(echo_server.url())
    assert echo_server.requests == []


def test_a_name_that_leads_inside_is_refused(echo_server: HttpServer, allow: Any) -> None:
    """An allowed name does not make a loopback address allowed; an address range does."""
    allow(f"http://localhost:{echo_server.port}")
    with pytest.raises(InvalidInput, match=r"localhost leads to an address that may not be called \(loopback\)"):
        ask(echo_server.url(host="localhost"))
    assert echo_server.requests == []
    allow(f"http://localhost:{echo_server.port} at {LOOPBACK}|::1/128")
    assert ask(echo_server.url(host="localhost")).body["headers"]["host"] == f"localhost:{echo_server.port}"


@pytest.mark.parametrize("address", ["169.254.169.254", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"])
def test_addresses_that_stand_for_others_are_refused(allow: Any, address: str) -> None:
    """Also when the address itself is on the list: only a range allows what is not public."""
    allow(f"http://{address}:80")
    with pytest.raises(InvalidInput, match="leads to an address that may not be called"):
        ask(f"http://{address}/")


class Rebinding:
    """A resolver that gives another answer each time, as a hostile one with a lifetime of no seconds does."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer, the last one for ever."""
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def call(url: str, allowed: str, resolve: Rebinding, **limits: Any) -> Answer:
    """A GET with a resolver of one's own."""
    return asyncio.run(fetch(Call("GET", parse(url), {}), Limits(allow=allowed, **limits), resolve))


def test_a_name_that_changes_its_address_reaches_only_what_was_checked() -> None:
    """The address that was judged is the one connected to: a second answer of the resolver is not even asked for."""
    with server(echo, "127.0.0.2") as good, server(echo, "127.0.0.1", good.port) as inside:
        resolve = Rebinding(["127.0.0.2"], ["127.0.0.1"])
        answer = call(
            f"http://rebind.example:{good.port}/x", f"http://rebind.example:{good.port} at 127.0.0.2/32", resolve
        )
        assert (answer.body["path"], answer.body["headers"]["host"]) == ("/x", f"rebind.example:{good.port}")
        assert (resolve.asked, len(good.requests), inside.requests) == (["rebind.example"], 1, [])


def test_a_name_that_changes_its_address_between_redirects() -> None:
    """Each redirect is resolved and judged anew, also to the same name; and one wrong address of several is enough."""
    with (
        server(lambda _, out: out.redirect("/again"), "127.0.0.2") as good,
        server(echo, "127.0.0.1", good.port) as inside,
    ):
        allowed = f"http://rebind.example:{good.port} at 127.0.0.2/32"
        for second in (["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.2"]):
            with pytest.raises(InvalidInput, match="may not be called"):
                call(f"http://rebind.example:{good.port}/", allowed, Rebinding(["127.0.0.2"], second))
        assert (len(good.requests), inside.requests) == (4, [])


def test_the_first_address_that_answers_is_taken() -> None:
    """A host with several addresses is tried at each; with none, or when nobody answers, it is tried again later."""
    with server(echo, "127.0.0.2") as there:
        allowed = f"http://many.example:{there.port} at {LOOPBACK}"
        url = f"http://many.example:{there.port}/"
        assert call(url, allowed, Rebinding(["127.0.0.3", "127.0.0.2"])).status == 200
        with pytest.raises(RetryLater, match="cannot be connected to"):
            call(url, allowed, Rebinding(["127.0.0.3"]))
        with pytest.raises(RetryLater, match="has no address"):
            call(url, allowed, Rebinding([]))


def test_a_name_that_does_not_exist(allow: Any) -> None:
    """It may exist later."""
    allow("http://nobody.invalid")
    with pytest.raises(RetryLater, match="cannot be resolved"):
        ask("http://nobody.invalid/")


# Redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{inside}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://localhost:{inside}/",
        "//127.0.0.1:{inside}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{inside}/",
        "http://user:pass@127.0.0.2/",
    ],
)
def test_a_redirect_leads_nowhere_that_a_call_may_not(allow: Any, location: str) -> None:
    """A redirect is a call like any other."""
    with (
        server(echo) as inside,
        server(lambda _, out: out.redirect(location.format(inside=inside.port)), "127.0.0.2") as there,
    ):
        allow(f"http://127.0.0.2:{there.port} at 127.0.0.2/32")
        with pytest.raises(InvalidInput):
            ask(there.url())
        assert inside.requests == []
        assert len(there.requests) == 1


def test_redirects_are_followed_within_bounds(allow: Any) -> None:
    """To the end of a short chain, and not along one that never ends."""

    def chain(heard: ReceivedRequest, out: ResponseWriter) -> None:
        left = int(heard.path[1:])
        out.redirect(f"/{left - 1}") if left else echo(heard, out)

    with server(chain) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}", redirects=3)
        assert ask(there.url("/3")).body["path"] == "/0"
        there.requests.clear()
        with pytest.raises(InvalidInput, match="more than 3 redirects"):
            ask(there.url("/9"))
        assert there.paths == ["/9", "/8", "/7", "/6"]


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
        (301, "PUT", "PUT"),
        (303, "HEAD", "HEAD"),
    ],
)
def test_a_redirect_decides_the_next_method(allow: Any, status: int, method: str, then: str) -> None:
    """303, and 301 and 302 after a POST, ask with a GET and without the body; all others ask the same again."""

    def once(heard: ReceivedRequest, out: ResponseWriter) -> None:
        out.redirect("/there", status) if heard.path == "/" else out.send(200, b"" if heard.method == "HEAD" else b"{}")

    with server(once) as there:
        allow(f"* http://127.0.0.1:{there.port} at {LOOPBACK}")
        ask(there.url(), method=Method(method), body=None if method == "HEAD" else {"a": 1})
        last = there.requests[-1]
        assert (last.path, last.method, last.body) == ("/there", then, b"" if then in ("GET", "HEAD") else b'{"a":1}')
        assert ("content-type" in last.headers) == (then not in ("GET", "HEAD"))


def test_a_redirect_with_another_method_must_be_allowed(allow: Any) -> None:
    """What a list allows to be posted to is not allowed to be read."""
    with server(lambda _, out: out.redirect("/there")) as there:
        allow(f"POST http://127.0.0.1:{there.port} at {LOOPBACK}")
        with pytest.raises(InvalidInput, match=r"GET .* may not be called"):
            ask(there.url(), method=Method.POST, body=1)
        assert there.paths == ["/"]


# Secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_is_sent_and_not_seen(echo_server: HttpServer, allow: Any, secrets: Any) -> None:
    """The server gets it; what it repeats of it is redacted."""
    allow(f"http://127.0.0.1:{echo_server.port} at {LOOPBACK}")
    secrets(f"http://127.0.0.1:{echo_server.port}")
    answer = ask(echo_server.url(), secrets={"Authorization": Secret(name="token", before="Bearer ")})
    assert echo_server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert answer.body["headers"]["authorization"] == "Bearer [redacted]"
    assert SECRET not in repr(answer)


def test_a_server_that_repeats_a_secret_in_every_way(allow: Any, secrets: Any) -> None:
    """In headers, in messages of failures, as text, in base64 and in pictures."""

    def repeats(heard: ReceivedRequest, out: ResponseWriter) -> None:
        secret = heard.headers["x-key"]
        if heard.path == "/picture":
            picture = io.BytesIO()
            Image.new("RGB", (2, 2)).save(picture, "PNG")
            out.send(200, picture.getvalue() + secret.encode(), "image/png")
        else:
            said = f"{secret} {base64.b64encode(secret.encode()).decode()}"
            out.send(int(heard.path[1:]), said.encode(), "text/plain", ("x-you-sent", secret), (f"x-{secret}", "name"))

    with server(repeats) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}")
        secrets(f"http://127.0.0.1:{there.port}")
        use = {"x-key": Secret(name="token")}
        seen = repr(ask(there.url("/200"), secrets=use))
        for status in (401, 500):
            with pytest.raises((InvalidInput, RetryLater)) as caught:
                ask(there.url(f"/{status}"), secrets=use)
            seen += str(caught.value)
        with pytest.raises(InvalidInput, match="holds the secret"):
            ask(there.url("/picture"), secrets=use)
        assert len(there.requests) == 4
        assert SECRET not in seen
        assert base64.b64encode(SECRET.encode()).decode()[:-4] not in seen


def test_a_secret_goes_nowhere_else(echo_server: HttpServer, allow: Any, secrets: Any) -> None:
    """A call to another origin with it is refused before anything is sent, and so is one that names none."""
    allow(f"http://127.0.0.1:{echo_server.port} at {LOOPBACK}")
    secrets("https://127.0.0.1", f"http://127.0.0.2:{echo_server.port}")
    with pytest.raises(InvalidInput, match="the secret 'token' may not be sent to"):
        ask(echo_server.url(), secrets={"x-key": Secret(name="token")})
    with pytest.raises(InvalidInput, match="there is no secret 'other'"):
        ask(echo_server.url(), secrets={"x-key": Secret(name="other")})
    with pytest.raises(InvalidInput, match="given twice"):
        ask(echo_server.url(), headers={"X-Key": "1"}, secrets={"x-key": Secret(name="token")})
    assert echo_server.requests == []


def test_a_redirect_to_another_origin_leaves_secrets_behind(allow: Any, secrets: Any) -> None:
    """Neither the secret nor a header that could be one goes along, even where the secret might be sent; and none comes back."""
    with server(echo, "127.0.0.2") as other:

        def away(heard: ReceivedRequest, out: ResponseWriter) -> None:
            out.redirect("/same") if heard.path == "/" else out.redirect(other.url("/there"))

        with server(away) as there:
            allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}", f"http://127.0.0.2:{other.port} at {LOOPBACK}")
            secrets(f"http://127.0.0.1:{there.port}", f"http://127.0.0.2:{other.port}")
            ask(
                there.url(),
                headers={"x-session": "mine", "accept": "application/json", "cookie": "c=1"},
                secrets={"authorization": Secret(name="token", before="Bearer ")},
            )
            assert [one.headers.get("authorization") for one in there.requests] == [f"Bearer {SECRET}"] * 2
            assert [one.headers.get("x-session") for one in there.requests] == ["mine"] * 2
            last = other.requests[0].headers
            assert last["accept"] == "application/json"
            assert not {"authorization", "x-session", "cookie"} & last.keys()


# TLS ---------------------------------------------------------------------------------------------------------------


def test_servers_are_verified_by_their_name(allow: Any, tmp_path: Path) -> None:
    """Not by the address that is connected to, and only by authorities that are trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with server(echo, tls=certificate(authority, "shop.example")) as there:
        allowed = f"https://shop.example:{there.port} at {LOOPBACK}, https://other.example:{there.port} at {LOOPBACK}"
        loopback = Rebinding(["127.0.0.1"])
        ca = str(tmp_path / "ca.pem")
        answer = call(f"https://shop.example:{there.port}/", allowed, loopback, ca=ca)
        assert answer.body["headers"]["host"] == f"shop.example:{there.port}"
        with pytest.raises(RetryLater, match="its certificate is not trusted: Hostname mismatch"):
            call(f"https://other.example:{there.port}/", allowed, loopback, ca=ca)
        with pytest.raises(RetryLater, match="its certificate is not trusted: unable to get local issuer"):
            call(f"https://shop.example:{there.port}/", allowed, loopback)
        assert len(there.requests) == 1
        assert fetching._tls(ca) is fetching._tls(ca)  # reading the authorities of the world costs more than a call


def test_encryption_is_not_given_up_on_the_way(allow: Any, tmp_path: Path) -> None:
    """A redirect from https to http is refused."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (
        server(echo) as plain,
        server(lambda _, out: out.redirect(plain.url()), tls=certificate(authority, "127.0.0.1")) as there,
    ):
        allow(
            f"https://127.0.0.1:{there.port} at {LOOPBACK}",
            f"http://127.0.0.1:{plain.port} at {LOOPBACK}",
            ca=tmp_path / "ca.pem",
        )
        with pytest.raises(InvalidInput, match="not encrypted"):
            ask(there.url())
        assert plain.requests == []


# What is too much --------------------------------------------------------------------------------------------------


def test_an_endless_answer_is_cut_off(allow: Any) -> None:
    """A body without a length is read up to the limit, and the connection is closed."""
    gone = threading.Event()

    def endless(heard: ReceivedRequest, out: ResponseWriter) -> None:
        out.send_head(200, ("content-type", "text/plain"))
        while out.write(b"x" * 65536):
            pass
        gone.set()

    with server(endless) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}", answer=1_000_000)
        with pytest.raises(InvalidInput, match="larger than 1,000,000 bytes"):
            ask(there.url())
        assert gone.wait(30)


def test_a_bomb_is_not_unpacked(allow: Any) -> None:
    """Little on the wire and much in memory is as large as it is in memory."""
    bomb = gzip.compress(bytes(200_000_000), 1)

    def packed(heard: ReceivedRequest, out: ResponseWriter) -> None:
        out.send(200, bomb, "application/json", ("content-encoding", "gzip"))

    with server(packed) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}")
        with pytest.raises(InvalidInput, match="larger than 2,097,152 bytes"):
            ask(there.url())


def test_silence_is_cut_off(allow: Any) -> None:
    """A server that accepts and says nothing, or stops in the middle, is given up and tried again."""
    release = threading.Event()

    def silent(heard: ReceivedRequest, out: ResponseWriter) -> None:
        if heard.path == "/half":
            out.send_head(200, ("content-type", "text/plain"), ("content-length", "10"))
            out.write(b"12345")
        release.wait(60)

    with server(silent) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}", silence=0.3)
        for path in ("/", "/half"):
            with pytest.raises(RetryLater, match="was not heard of in time"):
                ask(there.url(path))
        release.set()


def test_a_broken_connection_is_tried_again(allow: Any) -> None:
    """Also when what comes is no HTTP; the message shows nothing of what was sent."""

    def broken(heard: ReceivedRequest, out: ResponseWriter) -> None:
        if heard.path == "/noise":
            out.write(b"this is no HTTP\r\n\r\n")
        elif heard.path == "/short":
            out.send_head(200, ("content-type", "text/plain"), ("content-length", "10"))
            out.write(b"12345")

    with server(broken) as there:
        allow(f"http://127.0.0.1:{there.port} at {LOOPBACK}")
        for path in ("/noise", "/short", "/nothing"):
            with pytest.raises(RetryLater, match="broke") as caught:
                ask(there.url(path), headers={"x-header": "what-was-sent"})
            assert "what-was-sent" not in str(caught.value)


def test_a_call_that_is_cancelled_is_hung_up(allow: Any) -> None:
    """The server sees the connection close."""
    begun, gone = threading.Event(), threading.Event()

    def slow(heard: ReceivedRequest, out: ResponseWriter) -> None:
        out.send_head(200, ("content-type", "text/plain"))
        begun.set()
        while out.write(b"x"):
            gone.wait(0.02)
        gone.set()

    async def main(there: HttpServer) -> None:
        limits = Limits(allow=f"http://127.0.0.1:{there.port} at {LOOPBACK}")
        task = asyncio.create_task(fetch(Call("GET", parse(there.url()), {}), limits))
        await until(begun.is_set)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await until(gone.is_set)

    with server(slow) as there:
        asyncio.run(main(there))
