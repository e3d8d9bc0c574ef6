"""Flow on Kafka: the state of runs, partition by partition."""
