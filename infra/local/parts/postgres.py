"""PostgreSQL, with one database each for Millrace, its model registry (MLflow) and the schema registry."""

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from infra.local.errors import MissingTool, StartError
from infra.local.home import private
from infra.local.home.ports import LOOPBACK
from infra.local.parts.part import Part
from infra.local.processes import process
from infra.local.stack_context import StackContext

_ROLES = {"millrace": "postgres", "registry": "registry"}
"""The name of each role's secret."""
_DATABASES = {"millrace": "millrace", "registry": "registry", "mlflow": "millrace"}
"""The owner of each database. MLflow creates its tables itself at the first training."""
_ADMIN = "postgres"


def _data(context: StackContext) -> Path:
    return context.home / "postgres" / "data"


def _prepare(context: StackContext) -> None:
    data = _data(context)
    data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.parent.chmod(private.walked())
    if data.exists():
        # No PostgreSQL of this home runs now, and the file of a killed one may name a process of another program.
        (data / "postmaster.pid").unlink(missing_ok=True)
        _hand_over(data)
        return
    fresh = data.with_suffix(
        ".new"
    )  # renamed when complete, so that a start that is killed here leaves nothing incomplete
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password = context.home / "postgres" / "password"
    private.write(password, context.secrets["postgres-admin"])
    account = 0
    if os.geteuid() == 0:  # initdb, unlike the server, looks up the name of its user
        account = private.account()
        private.give(fresh, account)
        private.give(password, account)
    command = [
        *_as_user(context, account),
        str(context.parts.postgres / "bin" / "initdb"),
        f"--pgdata={fresh}",
        f"--username={_ADMIN}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]
    complaint = process.complete(command, home=context.home, folder=context.home, environ=process.bare())
    password.unlink()
    if complaint is not None:
        raise StartError(f"its folder {data} cannot be initialised: {complaint}")
    _hand_over(fresh)
    fresh.rename(data)


def _hand_over(data: Path) -> None:
    """Under root, give the data to an id without an account: other services of the machine may run as `nobody` too."""
    if os.geteuid() == 0:
        try:
            owner = data.stat().st_uid
            private.give(data, owner if owner in private.DYNAMIC else private.spare_id())
        except OSError:  # a container with few ids
            private.give(data, private.account())


def _command(context: StackContext) -> Sequence[str]:
    options = {
        "listen_addresses": LOOPBACK,
        "port": str(context.ports["postgres"]),
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "synchronous_commit": "off",  # history is written again from Kafka, so a second lost in a power cut costs nothing
        "log_checkpoints": "off",
        "timezone": "UTC",
    }
    settings = [f"--{key}={value}" for key, value in options.items()]
    data = _data(context)
    user = _as_user(context, data.stat().st_uid)
    return [*user, str(context.parts.postgres / "bin" / "postgres"), "-D", str(data), *settings]


def _as_user(context: StackContext, user: int) -> list[str]:
    """Return the prefix of a PostgreSQL command that makes root become this user, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise MissingTool(
            "PostgreSQL refuses to run as root, and `setpriv` (package util-linux) is missing: install it, or run as another user"
        )
    prefix = [
        setpriv,
        f"--reuid={user}",
        f"--regid={user}",
        "--clear-groups",
        f"--pdeathsig={signal.SIGINT.name.removeprefix('SIG')}",
    ]
    if not (_reachable_by_others(_data(context)) and _reachable_by_others(context.parts.postgres)):
        # Below /root, for example: let it pass through root's folders. It could read what is in them, too.
        prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--securebits=+no_setuid_fixup"]
    return [*prefix, "--"]


def _reachable_by_others(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


def _connect(context: StackContext) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=LOOPBACK, port=context.ports["postgres"], dbname="postgres", user=_ADMIN,
        password=context.secrets["postgres-admin"], connect_timeout=2, autocommit=True,
    )  # fmt: skip


def _ready(context: StackContext) -> bool:
    try:
        with _connect(context) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def _settle(context: StackContext) -> None:
    """Create missing roles and databases, and set passwords to the home's secrets."""
    with _connect(context) as connection:
        existing = {row[0] for row in connection.execute("select datname from pg_database")}
        roles = {row[0] for row in connection.execute("select rolname from pg_roles")}
        for name, secret in _ROLES.items():
            verb = sql.SQL("alter" if name in roles else "create")
            password = sql.Literal(context.secrets[secret])
            connection.execute(sql.SQL("{} role {} login password {}").format(verb, sql.Identifier(name), password))
        for name, owner in _DATABASES.items():
            if name not in existing:
                statement = sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(owner))
                connection.execute(statement)


POSTGRES = Part(
    name="postgres",
    ports=("postgres",),
    prepare=_prepare,
    command=_command,
    ready=_ready,
    settle=_settle,
    stop_signal=signal.SIGINT,  # fast shutdown: open sessions are ended
    death_signal=signal.SIGINT,
)
