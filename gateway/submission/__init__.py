"""Submitting runs: their input, once for each idempotency key, and the answer."""
