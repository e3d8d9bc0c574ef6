"""Tasks of services: doing one, reporting its progress, cancelling it, and finding those that no worker serves."""
