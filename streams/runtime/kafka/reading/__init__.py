"""Reading partitions with librdkafka on a thread, with or without a consumer group."""
