"""Everything that touches Faust, Kafka, S3 or PostgreSQL; the rest of `streams` is pure."""
