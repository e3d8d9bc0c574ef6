"""Submitting runs: reading the input, starting once for each idempotency key, and answering."""
