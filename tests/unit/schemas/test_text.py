"""Values given as text."""

from typing import Any

import pytest

from schemas.errors import Nonconforming
from schemas.shapes import shape
from schemas.text import parse_text

ENUM = {"type": "enum", "name": "n.E", "symbols": ["a", "b"]}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ("string", "5", "5"),
        ("string", "", ""),
        (["null", "string"], "null", "null"),
        ("long", " 5 ", 5),
        ("double", "0.5", 0.5),
        (["null", "double"], "null", None),
        ("boolean", "True", True),
        (["null", "boolean"], "false", False),
        ("bytes", "eA==", "eA=="),
        (ENUM, "a", "a"),
        ({"type": "array", "items": "long"}, "[1, 2]", [1, 2]),
        ({"type": "map", "values": "long"}, '{"a": 1}', {"a": 1}),
        ("millrace.Value", "[1]", [1]),
        ("millrace.Value", "plain words", "plain words"),
        ("millrace.Ref", "data:image/png;base64,xx", "data:image/png;base64,xx"),
        ("millrace.Ref", '{"bucket": "b"}', {"bucket": "b"}),
        ("millrace.Ref", "{not json", "{not json"),
        ("long", "five", "five"),
    ],
)
def test_text_is_read_as_its_type_says(schema: Any, text: str, value: Any) -> None:
    """A text field keeps its text, numbers and the like are read as in JSON; what is wrong is left for `conform` to say."""
    assert parse_text(shape(schema), text) == value


def test_a_list_that_is_not_json() -> None:
    """A list or an object has to be JSON; the problem names the field and says so."""
    with pytest.raises(Nonconforming) as caught:
        parse_text(shape({"type": "array", "items": "long"}), "1, 2", "digits")
    assert caught.value.problems[0].where == "digits"
    assert "as JSON" in caught.value.problems[0].hint
