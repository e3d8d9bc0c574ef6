"""`http:` nodes as a user has them: applied with the command line, run over HTTP, calling a server that is really there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import millrace
from tests.acceptance.sse import check_order
from tests.acceptance.system import SECRET, System, problem
from tests.integration.support.http_server import HttpServer, ReceivedRequest, ResponseWriter, server

PRICES = """
pipeline: acceptance-prices
summary: The price of something in a shop, or none when the shop does not have it
input: {url: string, article: string, amount: int}
nodes:
  price:
    http:
      url: "${url}"
      query: {article: "${article}"}
      headers: {authorization: "Bearer ${secret('shop-token')}"}
      answers: [404]
  known: {when: price.status == 200, value: "${int(price.body.cents) * amount}"}
output: {cents: "${first(known, -1)}", said: "${price.body}"}
"""


@pytest.fixture
def prices_pipeline(system: System, tmp_path: Path) -> Iterator[str]:
    """The pipeline, applied from the command line, removed in the end."""
    file = tmp_path / "acceptance-prices.yaml"
    file.write_text(PRICES)
    said = millrace("apply", str(file), home=system.stack.home)
    assert said.status == 0, said.err
    yield "acceptance-prices"
    assert millrace("apply", "--prune", home=system.stack.home).status == 0


@pytest.fixture
def price_server() -> Iterator[HttpServer]:
    """A shop that has tea, and says who asks."""

    def answer(heard: ReceivedRequest, out: ResponseWriter) -> None:
        if heard.path == "/?article=tea":
            out.send(200, json.dumps({"cents": 250, "you": heard.headers["authorization"]}).encode())
        elif heard.path == "/inside":
            out.redirect("http://169.254.169.254/latest/meta-data/")
        else:
            out.send(404, b'{"error": "no such article"}')

    with server(answer) as made:
        yield made


def test_a_pipeline_asks_another_system(system: System, prices_pipeline: str, price_server: HttpServer) -> None:
    """Run from the command line and over HTTP; the shop gets the secret, and nobody sees it."""
    given = [part for one in (f"url={price_server.url()}", "article=tea", "amount=3") for part in ("-i", one)]
    said = millrace("run", prices_pipeline, *given, "--follow", home=system.stack.home)
    assert said.status == 0, said.err
    run = system.submit(prices_pipeline, json={"url": price_server.url(), "article": "tea", "amount": 2})
    received = system.follow(run)
    check_order(received)
    assert received[-1].data["output"] == {"cents": 500, "said": {"cents": 250, "you": "Bearer [redacted]"}}
    assert {one.headers["authorization"] for one in price_server.requests} == {f"Bearer {SECRET}"}
    assert SECRET not in said.out + said.err + repr(received)
    run = system.submit(prices_pipeline, json={"url": price_server.url(), "article": "gold", "amount": 2})
    assert system.output(run)["cents"] == -1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "GET http://169.254.169.254 may not be called from here"),
        ("http://127.1/", "127.1 is not an address"),
        ("file:///etc/passwd", "this is not a URL that can be called"),
        ("{price_server}/inside", "GET http://169.254.169.254 may not be called from here"),
    ],
)
def test_a_call_that_is_not_allowed_is_refused(system: System, price_server: HttpServer, url: str, reason: str) -> None:
    """The run fails once, by the caller's fault, and its result says why."""
    asked = url.format(price_server=price_server.url().rstrip("/"))
    run = system.submit("http-call", kind="services", json={"url": asked})
    received = system.follow(run)
    assert received[-1].name == "run.failed"
    assert not [one for one in received if one.name == "node.retrying"]
    with system.http as http:
        answer = problem(http.get(f"/runs/{run}/result"), 422)
    assert answer["type"] == "urn:millrace:run-refused"
    assert reason in json.dumps(answer)
