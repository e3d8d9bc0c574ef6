"""The contracts: Avro schemas, their codec and registry, and references to objects.

| module | what |
| --- | --- |
| primitives | the primitive types, one row each |
| library | the checked-in records of `schemas/avro` |
| shapes | Avro schemas as frozen values to match on |
| contracts | contracts of services |
| refs | references to objects, and how to find them inside records |
| inspection | one pass over a value: problems, places, and words for values |
| value_text | the JSON text inside a `millrace.Value` |
| history | the released schemas, and what a new schema breaks |
| results | the record of a pipeline's results |
| errors | the root of all errors, and those of this package |
| memo, nearest | results by an object's identity, and the likeliest word for a misspelt one |
| validation/ | values checked against schemas, and schemas against each other |
| encoding/ | records as Avro, JSON and JSON Schema |
| registry/ | the schema registry over HTTP, and one inside the process |
"""
