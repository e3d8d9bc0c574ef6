"""`millrace callbacks`: what receivers of callbacks need."""

from streams import derived
from streams.cli.client import key_of
from streams.cli.settings import settings


def secret() -> None:
    """Print the secret that callbacks are signed with: a receiver needs it, and never the API key."""
    print(derived.callbacks(key_of(settings())))
