"""That there is something to read, as far as a worker that starts can see to it."""

import psycopg

from streams.runtime.history.indicators import fill
from streams.settings import SettingError, Settings

_SECONDS = 2


def usable() -> str:
    """Puts the shipped indicators into a table that has none. Why nobody can be scored here yet; empty when somebody can, and
    when the database does not answer: it is waited for.
    """
    try:
        url = Settings.read().postgres
    except SettingError as error:
        return str(error)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_SECONDS) as connection:
            fill(connection)
    except psycopg.OperationalError:
        return ""
    except psycopg.Error as error:  # its user may only read
        return (
            "when this worker started, the database had no socio-economic indicators, and those that come with the project "
            f"could not be put there ({str(error).splitlines()[0]}): `millrace indicators load` brings them, and scores are "
            "given from then on"
        )
    return ""
