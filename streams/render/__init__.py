"""Compiled pipelines as other documents: diagrams, cluster resources, descriptions of topics.

Pure functions of topologies.
"""
