"""The embedded local stack: Kafka, schema registry, S3 server and PostgreSQL without Docker or root rights."""
