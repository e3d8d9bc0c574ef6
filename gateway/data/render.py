"""Values as clients see them: a ref becomes the ref and the address of its bytes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.api.json_response import to_json
from schemas.encoding.render import any_to_json
from schemas.refs import Ref
from streams.timestamps import moment


def rendered(value: Any) -> Any:
    """Return a value as plain JSON values, with every ref as `{"ref": …, "href": …}`."""
    return any_to_json(value, ref=with_address)


def with_address(ref: Ref) -> dict[str, Any]:
    """Return a ref with the address of its bytes."""
    return {"ref": ref.to_dict(), "href": f"/objects/{quote(ref.bucket, safe='')}/{quote(ref.key)}"}


def placed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event carries, with the place that a failure names (its `at` or `path`) as `where`."""
    carried: dict[str, Any] = rendered(data)
    place = carried.pop("at", None) or carried.pop("path", None)
    return {**carried, "where": place} if place else carried


def event_json(
    run: str, kind: str, node: str, path: str, at: float, attempt: int, data: Mapping[str, Any], **more: Any
) -> bytes:
    """Return the JSON of one event: `{run, event, node, path, at, …}` and what it carries. `at`: epoch seconds.

    The place that a failure names is `where` (see `placed`), since `at` and `path` are the event's own.
    """
    carried = placed(data)
    head: dict[str, Any] = {"run": run, "event": kind, "node": node or None, "path": path or None, "at": moment(at)}
    if attempt:
        head["attempt"] = attempt
    return to_json({**carried, **more, **head})
