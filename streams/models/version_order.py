"""What was ordered of a service that trains: one text for one order, so that a version says in the registry what it was made for."""

import json
from collections.abc import Mapping
from typing import Any

ORDER, ORDERED = "millrace.order", "millrace.ordered"
"""Tags of a version in the registry: the order that it was made for last, and when that was filled (epoch seconds)."""


def order(service: str, input: Mapping[str, Any]) -> str:
    """Return the text of an order: the service, and its whole input with every default."""
    return json.dumps({"service": service, "input": input}, sort_keys=True, separators=(",", ":"))


def service_of(text: str) -> str:
    """Return the service of an order; empty for a text that is not an order."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return ""
    return str(parsed.get("service", "")) if isinstance(parsed, dict) else ""
