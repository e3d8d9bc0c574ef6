"""The contracts: Avro schemas, their codec and registry, and references to objects.

| module | what |
| --- | --- |
| library | the checked-in records of `schemas/avro` |
| shapes | Avro schemas as frozen values to match on |
| contracts | contracts of services |
| refs | references to objects, and finding them inside records |
| conform | a JSON-like value checked against a schema, with every problem |
| render, json_schema | values and schemas as clients see them |
| binary, codec | Avro's bytes, and records as they cross Kafka |
| strict, cloudevents | JSON from outside by one rule, and events that hold it |
| results | the record of a pipeline's results |
| registry, references, memory | the schema registry over HTTP, and one inside the process |
| compat, history | what a new schema breaks, and the released schemas it is held against |
| errors | everything that can be raised |
"""
