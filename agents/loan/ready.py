"""Whether there is anything to read, as far as a worker that starts can tell."""

import psycopg

from streams.settings import SettingError, Settings

_SECONDS = 2


def usable() -> str:
    """Why nobody can be scored here yet; empty when somebody can, and when the database does not answer: it is waited for."""
    try:
        url = Settings.read().postgres
    except SettingError as error:
        return str(error)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_SECONDS) as connection:
            there = connection.execute("select exists (select from socio_economic)").fetchone()
    except psycopg.errors.UndefinedTable:
        there = (False,)
    except psycopg.Error:
        return ""
    if there == (True,):
        return ""
    return (
        "when this worker started, the database had no socio-economic indicators: "
        "`millrace indicators load` brings them, and scores are given from then on"
    )
