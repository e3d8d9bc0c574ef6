"""The contracts: Avro schemas, their codec and registry, and references to objects."""
