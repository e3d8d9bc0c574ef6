"""Prints Avro values as lines of JSON: what `kcat -f '%R%s'` gives, with the Avro package and a registry's HTTP alone.

kcat … -f '%R%s' | python decode.py     (REGISTRY says where it is)
"""

import io
import json
import os
import sys
import urllib.request

import avro.io
import avro.schema

REGISTRY = os.environ.get("REGISTRY", "http://127.0.0.1:8081") + "/apis/ccompat/v7"


def main() -> None:
    """Each value has its length before it; in it, a zero byte and the number of its schema stand before the record."""
    schemas: dict[int, avro.schema.Schema] = {}
    while size := sys.stdin.buffer.read(4):
        value = sys.stdin.buffer.read(int.from_bytes(size, "big"))
        number = int.from_bytes(value[1:5], "big")
        if number not in schemas:
            with urllib.request.urlopen(f"{REGISTRY}/schemas/ids/{number}") as answer:
                schemas[number] = avro.schema.parse(json.load(answer)["schema"])
        record = avro.io.DatumReader(schemas[number]).read(avro.io.BinaryDecoder(io.BytesIO(value[5:])))
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
