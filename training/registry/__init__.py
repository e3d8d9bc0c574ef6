"""The registry of trained models: bundles in S3, and MLflow."""
