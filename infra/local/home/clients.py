"""Access for other programs: a file with address and password for each kind of client, and commands that use them."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from infra.local.home import private
from streams.settings import Settings

FOLDER = "clients"
_SIGNED = """\
aws-sigv4 = "aws:amz:us-east-1:s3"
header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"
"""


def write(home: Path, settings: Settings) -> None:
    """Replace the files of a home, each readable by its owner only, so that no command has to contain a password."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, text in _files(settings).items():
        private.write(folder / name, text)


def _files(settings: Settings) -> Mapping[str, str]:
    password = Path(settings.kafka_password_file).read_text(encoding="utf-8").strip()
    login = f'username="{settings.kafka_user}" password="{password}"'
    kafka = {"bootstrap.servers": settings.kafka, "security.protocol": settings.kafka_protocol}
    mechanism = {"sasl.mechanism": settings.kafka_mechanism}
    java = f"org.apache.kafka.common.security.plain.PlainLoginModule required {login};"
    registry, postgres = urlsplit(settings.registry), urlsplit(settings.postgres)
    database = {
        "host": postgres.hostname,
        "port": postgres.port,
        "dbname": postgres.path.removeprefix("/"),
        "user": postgres.username,
        "password": unquote(postgres.password or ""),
    }
    return {
        "kcat.conf": _lines({**kafka, **mechanism, "sasl.username": settings.kafka_user, "sasl.password": password}),
        "kafka.properties": _lines({**kafka, **mechanism, "sasl.jaas.config": java}),
        "registry.url": f"{settings.registry}\n",
        "registry.properties": _lines(
            {
                "apicurio.registry.url": registry._replace(netloc=_host(registry), path="/apis/registry/v2").geturl(),
                "apicurio.auth.username": registry.username,
                "apicurio.auth.password": unquote(registry.password or ""),
            }
        ),
        "registry.curl": f'user = "{registry.username}:{unquote(registry.password or "")}"\n',
        "s3.curl": f'user = "{settings.s3_access_key}:{settings.s3_secret_key}"\n{_SIGNED}',
        "pg_service.conf": f"[millrace]\n{_lines(database)}",
    }


def _host(address: SplitResult) -> str:
    """Return host and port, without the login."""
    return address.netloc.rpartition("@")[2]


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())


def commands(home: Path, settings: Mapping[str, Any], parts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, address and a command that opens it, for each part of a stack that other programs may use."""
    folder, key = (shlex.quote(str(home / name)) for name in (FOLDER, "api-key"))
    registry = urlsplit(str(settings["registry"]))
    address = registry._replace(netloc=_host(registry), path="").geturl()
    postgres = urlsplit(str(settings["postgres"]))
    http = f"http://{settings['http_host']}:{settings['http_port']}"
    commands = [
        ("kafka", str(settings["kafka"]), f"kcat -F {folder}/kcat.conf -L"),
        ("registry", address, f"curl -K {folder}/registry.curl {address}{registry.path}/subjects"),
        ("s3", str(settings["s3"]), f"curl -K {folder}/s3.curl {settings['s3']}/{settings['s3_bucket']}"),
        (
            "postgres",
            f"{postgres.hostname}:{postgres.port}",
            f"PGSERVICEFILE={folder}/pg_service.conf psql service=millrace",
        ),
        ("gateway", http, f'curl -H "Authorization: Bearer $(cat {key})" {http}/services'),
    ]
    return [command for command in commands if command[0] in parts]
