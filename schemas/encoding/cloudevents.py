"""CloudEvents in structured mode: one JSON object that holds an event's attributes and its data.

In binary mode the data is the whole value of a record and the attributes are headers, so there is nothing to do.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import base64
import binascii
from typing import Any

from schemas.errors import Undecodable

_EVENT = ("application/cloudevents+json", "application/cloudevents")
"""Media types of one event; Kafka's binding defines none for a batch or for an event in Avro."""


def is_structured(media_type: str) -> bool:
    """Return whether a record of this media type (lower case, without parameters) is an event with its data inside."""
    return media_type in _EVENT


def data_of(event: Any) -> Any:
    """Return what an event carries: a JSON value, or bytes that are still to be decoded. Raises Undecodable."""
    if not isinstance(event, dict) or not isinstance(event.get("specversion"), str):
        raise Undecodable(
            "its content type says that the record is a CloudEvent, but it is not an object with a specversion"
        )
    if "data_base64" in event:
        try:
            return base64.b64decode(event["data_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise Undecodable("the data_base64 of the CloudEvent is not base64") from None
    if event.get("data") is None:
        raise Undecodable("the CloudEvent has no data, which would be the pipeline's input")
    data = event["data"]
    # Data of a type that is not JSON is a text in the event.
    return data.encode() if isinstance(data, str) else data
