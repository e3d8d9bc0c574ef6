"""Fetching what the parts are made of, once per machine."""
