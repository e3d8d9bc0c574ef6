"""Which names a pipeline may give: to itself, to its nodes, inputs and variables, and to the fields of records."""

import re

PIPELINE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What Avro takes as a field's name, and CEL as what stands after a dot."""
MAX_NAME = 60

_NAME = re.compile(r"[a-z][a-z0-9_]*")

CEL_TYPES = frozenset({"int", "uint", "double", "string", "bool", "bytes", "list", "map", "null_type", "type", "math"})
"""Names that CEL gives a meaning as values."""

_KEYWORDS = "true false null in as break const continue else for function if import let loop package namespace return var void while"
_FUNCTIONS = "first has all exists exists_one map filter dyn index"

RESERVED = CEL_TYPES | frozenset(_KEYWORDS.split()) | frozenset(_FUNCTIONS.split())
"""Words that CEL or the language keeps for itself."""


def wrong_name(name: str) -> tuple[str, str] | None:
    """Return why a node, an input or a variable cannot have this name, and what to do; None when it can."""
    if name in RESERVED:
        return f"{name!r} is a reserved name", "choose another"
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        hint = f"lower-case letters, digits and _, beginning with a letter, at most {MAX_NAME} characters"
        return f"{name!r} is no name", hint
    return None
