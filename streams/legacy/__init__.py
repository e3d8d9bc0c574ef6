"""Convert pipelines of the older JSON format to YAML, or report what in them has no counterpart.

Code in such a file is never run.
"""
