"""The settings of a command."""

from streams.cli.exits import Exit, Failed
from streams.settings import SettingError, Settings


def settings() -> Settings:
    """Read the settings. Raises Failed for an invalid one, with its key and value."""
    try:
        return Settings.read()
    except SettingError as error:
        raise Failed(Exit.USAGE, str(error)) from error
