"""The settings of a command."""

from streams.cli.exits import Exit, Failed
from streams.settings import SettingError, Settings


def settings() -> Settings:
    """Read once per command. A bad one ends it, with the key and the value."""
    try:
        return Settings.read()
    except SettingError as error:
        raise Failed(Exit.USAGE, str(error)) from error
