"""Messages as Kafka records, and the topics that they travel on."""
