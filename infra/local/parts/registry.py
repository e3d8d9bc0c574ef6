"""Apicurio's schema registry with the Confluent API, stored in PostgreSQL; it requires the password of its home."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from infra.local.home.ports import LOOPBACK
from infra.local.installation import java
from infra.local.parts import web
from infra.local.parts.part import Part
from infra.local.stack_context import USER, StackContext

_HEAP_MB = 384


def _environ(context: StackContext) -> Mapping[str, str]:
    # SQL storage, because Kafka storage waits 10 s at every start for the end of its journal.
    return {
        **java.environ(),
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "postgresql",
        "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{LOOPBACK}:{context.ports['postgres']}/registry",
        "APICURIO_DATASOURCE_USERNAME": "registry",
        "APICURIO_DATASOURCE_PASSWORD": context.secrets["registry"],
        "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "2",
        "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "2",
        "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "8",
        # Without it, each pooled connection fails one more call after PostgreSQL was unavailable.
        "QUARKUS_DATASOURCE_POSTGRESQL_JDBC_VALIDATE_ON_BORROW": "true",
        "QUARKUS_HTTP_HOST": LOOPBACK,
        "QUARKUS_HTTP_PORT": str(context.ports["registry"]),
        "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
        "QUARKUS_MANAGEMENT_PORT": str(context.ports["registry-management"]),
        "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
        # Without these, any page in a browser of this machine and any other user could read and delete schemas.
        "QUARKUS_HTTP_CORS_ENABLED": "false",
        "QUARKUS_HTTP_AUTH_BASIC": "true",
        "QUARKUS_HTTP_AUTH_PERMISSION_ALL_PATHS": "/*",
        "QUARKUS_HTTP_AUTH_PERMISSION_ALL_POLICY": "authenticated",
        "QUARKUS_OIDC_TENANT_ENABLED": "false",
        "QUARKUS_SECURITY_USERS_EMBEDDED_PLAIN_TEXT": "true",
        f"QUARKUS_SECURITY_USERS_EMBEDDED_USERS_{USER.upper()}": context.secrets["registry-http"],
        f"QUARKUS_SECURITY_USERS_EMBEDDED_ROLES_{USER.upper()}": "sr-admin",
    }


def _command(context: StackContext) -> Sequence[str]:
    # With -jar, not -cp: the manifest opens the packages of Java that the server needs.
    jar = context.parts.registry / "quarkus-run.jar"
    return java.command(_HEAP_MB, *context.classes("registry"), "-jar", str(jar))


def _ready(context: StackContext) -> bool:
    login = (USER, context.secrets["registry-http"])
    return web.status(context.ports["registry"], "/apis/ccompat/v7/subjects", login) == HTTPStatus.OK


REGISTRY = Part(
    name="registry",
    needs=("postgres",),
    ports=("registry", "registry-management"),
    environ=_environ,
    command=_command,
    ready=_ready,
)
