"""Pipelines in the older JSON format, turned into ours, or what of them has no counterpart. No code in them is ever run."""
