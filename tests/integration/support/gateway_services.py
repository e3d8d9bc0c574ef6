"""Define the contracts that the tests of the gateway announce."""

from schemas.contracts import Contract

ECHO = Contract(
    name="echo",
    version="1.2.0",
    summary="Gives back what it gets",
    description="For tests: what goes in comes out.",
    input={
        "type": "record",
        "name": "EchoInput",
        "fields": [
            {"name": "text", "type": "string", "doc": "What to say."},
            {"name": "loud", "type": "boolean", "default": False},
            {"name": "photo", "type": ["null", "millrace.Ref"], "default": None},
        ],
    },
    output={"type": "record", "name": "EchoOutput", "fields": [{"name": "text", "type": "string"}]},
    example={"text": "hello"},
)
