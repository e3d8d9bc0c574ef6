"""Where trained models go: bundles in S3, and MLflow."""
