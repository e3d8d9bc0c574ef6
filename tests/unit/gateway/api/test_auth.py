"""The key, sessions, and who is let through."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.api.auth import SESSION, Authenticator, RequireKey, read_key
from streams.settings import SettingError

KEY = "k" * 43
COOKIE = "millrace_8000"
"""At the address that is asked here."""
OTHERS = [
    'prefs={"dark":true}', "_xsrf=2|9d|a b c", "my cookie=1", "={}", "tab=a\tb", "letter=é", "bare", ";;", 'q="a;b',
    "millrace_9000=1.0", "millrace_session=1", "x" * 5000,
]  # fmt: skip
"""Cookies that programs set which never read RFC 6265."""


async def _inside(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(Request(scope).url.path)(scope, receive, send)


def ask(method: str, path: str, **more: Any) -> Response | httpx.Response:
    """One call through the guard."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(RequireKey(_inside, Authenticator(KEY)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway:8000") as client:
            return await client.request(method, path, **more)

    return asyncio.run(call())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Bearer " + KEY[:-1]},
        {"authorization": "Basic " + KEY},
        {"authorization": KEY},
        {"cookie": f"{COOKIE}={KEY}"},
        {"cookie": f"{COOKIE}=99999999999.{'0' * 64}"},
        {"cookie": f"{COOKIE}="},
    ],
)
def test_nobody_passes_without_the_key(headers: dict[str, str]) -> None:
    """Anything but the key or a session of ours is a 401 with a problem document."""
    answer = ask("GET", "/runs", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_key_passes() -> None:
    """The key passes as a bearer token, whatever the case of the scheme."""
    assert ask("GET", "/runs", headers={"authorization": f"bearer {KEY}"}).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_open(path: str) -> None:
    """Health needs no key."""
    assert ask("GET", path).status_code == 200


def test_a_link_with_the_key_becomes_a_session_without_it() -> None:
    """The key in a link is exchanged for a cookie that is not the key, and the redirect does not show it."""
    answer = ask("GET", f"/runs?status=failed&key={KEY}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/runs?status=failed"
    cookie = answer.headers["set-cookie"]
    assert KEY not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = cookie.split(";")[0]
    assert ask("GET", "/runs", headers={"cookie": session}).status_code == 200


def test_a_link_leads_to_no_other_host() -> None:
    """A path of two slashes must not become an address of another host."""
    assert ask("GET", f"http://gateway:8000//evil.example/x?key={KEY}").headers["location"] == "/evil.example/x"


def test_a_wrong_key_in_a_link_is_refused() -> None:
    """A link with another key gives no session."""
    answer = ask("GET", "/?key=wrong")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://gateway:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://gateway:8000"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_a_session_changes_things_from_its_own_page_only(headers: dict[str, str], status: int) -> None:
    """With a cookie alone, a call that changes something must come from this origin."""
    cookie = {"cookie": f"{COOKIE}={Authenticator(KEY).session()}"}
    assert ask("DELETE", "/runs/1", headers={**cookie, **headers}).status_code == status


@pytest.mark.parametrize("other", OTHERS)
def test_cookies_of_other_programs_do_not_sign_anybody_out(other: str) -> None:
    """A browser sends those of every port of the host, in any order."""
    mine = f"{COOKIE}={Authenticator(KEY).session()}"
    for header in (f"{other}; {mine}", f"{mine}; {other}", f"{other};{mine};{other}", f"{COOKIE}=old; {mine}"):
        assert ask("GET", "/runs", headers=[(b"cookie", header.encode())]).status_code == 200, header


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://gateway:8000/", "millrace_8000"),
        ("http://gateway:9000/", "millrace_9000"),
        ("http://gateway/", "millrace_80"),
        ("https://gateway/", "millrace_443"),
        ("http://[::1]:81/", "millrace_81"),
        ("http://[::1]/", "millrace_80"),
    ],
)
def test_each_port_has_a_session_of_its_own(url: str, name: str) -> None:
    """Cookies ignore ports: stacks of one host would sign each other out."""
    cookie = ask("GET", f"{url}?key={KEY}").headers["set-cookie"]
    assert cookie.startswith(f"{name}=")
    assert ("; Secure" in cookie) == url.startswith("https")


def test_a_session_that_was_ended_is_over() -> None:
    """That one, and no other; what is no session cannot be ended."""
    now = [1000.0]
    keeper = Authenticator(KEY, clock=lambda: now[0])
    first, second = keeper.session(), keeper.session()
    assert first != second
    keeper.end(first)
    keeper.end("1.2")
    assert (keeper.holds(first), keeper.holds(second), len(keeper._ended)) == (False, True, 1)
    now[0] += SESSION
    third = keeper.session()
    keeper.end(third)
    assert (keeper.holds(first), keeper.holds(third), len(keeper._ended)) == (False, False, 1)


def test_a_session_ends() -> None:
    """A session is over after its time, and cannot be made longer by who holds it."""
    session = Authenticator(KEY, clock=lambda: 1000.0).session()
    assert Authenticator(KEY, clock=lambda: 999.0 + SESSION).holds(session)
    assert not Authenticator(KEY, clock=lambda: 1001.0 + SESSION).holds(session)
    expiry, rest = session.split("-")
    assert not Authenticator(KEY, clock=lambda: 1000.0).holds(f"{int(expiry) + 1}-{rest}")


def test_a_person_gets_a_page() -> None:
    """A browser without a session gets a page to sign in, with status 401."""
    answer = ask("GET", "/", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert "<form" in answer.text  # type: ignore[union-attr]


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """Two gateways that start at once share one key, in a file that only its owner can read."""
    key = read_key(tmp_path / "home")
    assert read_key(tmp_path / "home") == key
    assert len(key) >= 32
    assert stat.S_IMODE((tmp_path / "home" / "api-key").stat().st_mode) == 0o600


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    """A key that can be guessed is an error that names the file."""
    (tmp_path / "api-key").write_text("abc\n")
    with pytest.raises(SettingError, match="api-key"):
        read_key(tmp_path, patience=0.05)
