"""`millrace callbacks`: what receivers of callbacks need."""

from streams.cli.client import key_of
from streams.cli.settings import settings
from streams.wire import derived_secrets


def secret() -> None:
    """Print the secret that callbacks are signed with: a receiver needs it, and never the API key."""
    print(derived_secrets.callbacks(key_of(settings())))
