"""Objects in S3: of runs, models and datasets."""
