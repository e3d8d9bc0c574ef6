"""Records to bytes and JSON, and back."""
