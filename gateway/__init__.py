"""The HTTP API: submits runs, streams their events, serves the catalogue, the pipelines and the objects."""
