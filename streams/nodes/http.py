"""`http:` calls another system; it is a task for the service `http-call`."""

from typing import TYPE_CHECKING

from streams.nodes import service
from streams.nodes.built import Built

if TYPE_CHECKING:
    from streams.compile.node import NodeBuilder

SERVICE = "http-call"


def build(node: "NodeBuilder") -> Built | None:
    """The same as `service: http-call` with the request as its input."""
    request = node.spec.subject
    if not isinstance(request, dict) or "url" not in request:
        node.refuse(node.place("http"), "http is a mapping with a url", "http: {url: https://…}")
        return None
    if SERVICE not in node.compiler.contracts:
        node.refuse(
            node.place("http"),
            f"no service {SERVICE!r} is known, so http nodes cannot run",
            "start the http-call service",
        )
        return None
    return service.call(node, SERVICE, node.place("http"), "http")
