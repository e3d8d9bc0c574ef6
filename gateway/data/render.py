"""Values as clients see them: a reference becomes the reference and the address of its bytes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.api.json_response import to_json
from schemas.encoding.render import any_to_json
from schemas.refs import Ref
from streams.timestamps import moment


def rendered(value: Any) -> Any:
    """A value as plain JSON values, in which every ref stands as `{"ref": …, "href": …}`."""
    return any_to_json(value, ref=with_address)


def with_address(ref: Ref) -> dict[str, Any]:
    """A ref and where its bytes are."""
    return {"ref": ref.to_dict(), "href": f"/objects/{quote(ref.bucket, safe='')}/{quote(ref.key)}"}


def placed(data: Mapping[str, Any]) -> dict[str, Any]:
    """What an event carries, with the place that a failure names (its `at` or `path`) as `where`: one name for one thing."""
    carried: dict[str, Any] = rendered(data)
    place = carried.pop("at", None) or carried.pop("path", None)
    return {**carried, "where": place} if place else carried


def event_json(
    run: str, kind: str, node: str, path: str, at: float, attempt: int, data: Mapping[str, Any], **more: Any
) -> bytes:
    """The data of one event: `{run, event, node, path, at, …}`; `at` in epoch seconds. What it carries stands beside.

    The place that a failure names stands as `where` (see `placed`), since `at` and `path` are the event's own.
    """
    carried = placed(data)
    head: dict[str, Any] = {"run": run, "event": kind, "node": node or None, "path": path or None, "at": moment(at)}
    if attempt:
        head["attempt"] = attempt
    return to_json({**carried, **more, **head})
