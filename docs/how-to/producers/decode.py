"""Prints Avro values as lines of JSON: what `kcat -f '%R%s'` gives, with the Avro package and a registry's HTTP alone.

kcat … -f '%R%s' | python decode.py     (REGISTRY says where it is, as http://user:password@host:port/apis/ccompat/v7)
"""

import base64
import io
import json
import os
import sys
import urllib.parse
import urllib.request

import avro.io
import avro.schema

REGISTRY = urllib.parse.urlsplit(os.environ["REGISTRY"])


def main() -> None:
    """Each value has its length before it; in it, a zero byte and the number of its schema stand before the record."""
    schemas: dict[int, avro.schema.Schema] = {}
    while size := sys.stdin.buffer.read(4):
        value = sys.stdin.buffer.read(int.from_bytes(size, "big"))
        number = int.from_bytes(value[1:5], "big")
        if number not in schemas:
            schemas[number] = avro.schema.parse(registered(number))
        record = avro.io.DatumReader(schemas[number]).read(avro.io.BinaryDecoder(io.BytesIO(value[5:])))
        print(json.dumps(record), flush=True)


def registered(number: int) -> str:
    """Return the schema of a number."""
    login, _, host = REGISTRY.netloc.rpartition("@")
    address = REGISTRY._replace(netloc=host).geturl()
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/schemas/ids/{number}", headers=headers)) as answer:
        schema: str = json.load(answer)["schema"]
        return schema


if __name__ == "__main__":
    main()
