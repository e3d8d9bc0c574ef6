"""Commands about pipelines: their files, their versions, and the catalogue."""
