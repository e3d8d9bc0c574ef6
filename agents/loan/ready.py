"""Prepare the indicators table when a worker starts."""

import psycopg

from agents.loan.indicators_table import fill
from streams.settings import SettingError, Settings

_SECONDS = 2
"""Seconds to connect to PostgreSQL."""


def usable() -> str:
    """Fill an empty indicators table with the shipped months; return why scoring is not possible yet, empty if it is.

    A database that does not answer is not an error here: the service retries until it does.
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
    except psycopg.Error as error:  # such as a user who may only read
        return (
            "when this worker started, the database had no socio-economic indicators, and those that come with the project "
            f"could not be written ({str(error).splitlines()[0]}): `millrace indicators load` loads them, and scoring works "
            "from then on"
        )
    return ""
