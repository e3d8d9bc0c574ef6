"""Consumers, the producer, offsets and topics."""
