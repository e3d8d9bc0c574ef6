"""Run a broker as a cluster does: TLS, passwords or certificates, and rights; nothing is allowed that no rule allows."""

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from infra.local.installation import java
from infra.local.installation.install import install
from infra.local.parts.kafka import FIXED, cluster_id
from tests.integration.support.eventually import eventually

_RULE = re.compile(
    r"Principal = User:(\S+) is (Allowed|Denied) operation = (\w+) .* on resource = (\w+):LITERAL:(\S+) "
)


def as_kafka_says(operation: str) -> str:
    """An operation of a KafkaUser in Kafka's own words: DESCRIBE_CONFIGS for DescribeConfigs."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()


@dataclass(frozen=True)
class Used:
    """A right that somebody asked for, and whether it was there."""

    user: str
    operation: str
    kind: str
    name: str
    allowed: bool


@dataclass(frozen=True)
class SecureBroker:
    """A running broker. Whoever comes over `inside` may do everything; over the others, what rules allow."""

    folder: Path
    inside: str
    passwords: str
    """The address for users with passwords (SASL_SSL, SCRAM-SHA-512)."""
    certificates: str
    """The address for users with certificates (SSL)."""
    authority: trustme.CA

    @property
    def ca(self) -> Path:
        """The certificate that brokers are verified by."""
        return self.folder / "ca.pem"

    @property
    def admin(self) -> AdminClient:
        """A client of its administrator; what it is asked for lasts as long as it."""
        return AdminClient({"bootstrap.servers": self.inside, "log_level": 0})

    def make(self, topics: Iterable[dict[str, Any]]) -> None:
        """Makes the topics of KafkaTopic resources, as the operator does."""
        admin, wanted = self.admin, []
        for one in topics:
            spec = one["spec"]
            name = spec.get("topicName", one["metadata"]["name"])
            wanted.append(NewTopic(name, spec["partitions"], spec["replicas"], config=spec["config"]))
        for future in admin.create_topics(wanted).values():
            future.result(30)

    def admit(self, user: str, rules: Iterable[dict[str, Any]], principal: str = "") -> Path:
        """Gives a user a password and the rights of a KafkaUser resource, as the operator does; the password's file."""
        admin, password = self.admin, f"{user}-password"
        bindings = [
            AclBinding(
                ResourceType[rule["resource"]["type"].upper()],
                rule["resource"]["name"],
                ResourcePatternType[_PATTERNS[rule["resource"]["patternType"]]],
                f"User:{principal or user}",
                rule["host"],
                AclOperation[as_kafka_says(operation)],
                AclPermissionType.ALLOW,
            )
            for rule in rules
            for operation in rule["operations"]
        ]
        for done in admin.create_acls(bindings).values() if bindings else ():
            done.result(30)
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(user, info, password.encode())
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(30)
        # What was asked for takes effect in its order, but a moment later than it is answered: who may log in has the rights.
        eventually(lambda: self._knows(user, password), seconds=30)
        file = self.folder / f"{user}.password"
        file.write_text(password + "\n")
        return file

    def _knows(self, user: str, password: str) -> bool:
        login: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.passwords,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password,
            "log_level": 0,
        }
        try:
            # Of a topic that nobody has: asking for those that there are would use the user's rights.
            AdminClient(login).list_topics(f"{user}.login", timeout=2)
        except KafkaException:
            return False
        return True

    def used(self) -> set[Used]:
        """Every right that was asked for until now."""
        found = _RULE.findall((self.folder / "kafka.log").read_text(errors="replace"))
        return {Used(user, operation, kind, name, said == "Allowed") for user, said, operation, kind, name in found}


_PATTERNS = {"literal": "LITERAL", "prefix": "PREFIXED"}


@contextlib.contextmanager
def secure_broker(folder: Path) -> Iterator[SecureBroker]:
    """A broker for as long as this lasts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    _keep(authority.issue_cert("127.0.0.1"), folder / "broker.pem")
    inside, passwords, certificates, controller = (f"127.0.0.1:{port}" for port in free_ports(4))
    made = SecureBroker(folder, inside, passwords, certificates, authority)
    listeners = f"INSIDE://{inside},PASSWORDS://{passwords},CERTIFICATES://{certificates},CONTROLLER://{controller}"
    properties = {
        **FIXED,
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,PASSWORDS:SASL_SSL,CERTIFICATES:SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "controller.quorum.bootstrap.servers": controller,
        "log.dirs": str(folder / "data"),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.certificates.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/CN=$1/",
        "listener.name.passwords.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.passwords.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    }
    (folder / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    jars = os.pathsep.join(str(jar) for jar in sorted(install().kafka.glob("*.jar")))
    arguments = ("--standalone", "--cluster-id", cluster_id(), "--config", str(folder / "server.properties"))
    subprocess.run(java.command(256, "-cp", jars, "kafka.tools.StorageTool", "format", *arguments), check=True)
    logging = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug"
    command = java.command(512, logging, "-cp", jars, "kafka.Kafka", str(folder / "server.properties"))
    with (folder / "kafka.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: process.poll() is None and _answers(made), 60)
        yield made
    finally:
        process.kill()
        process.wait()


def client_certificate(broker: SecureBroker, name: str) -> tuple[Path, Path]:
    """A certificate of the broker's authority for a client, and its key."""
    issued = broker.authority.issue_cert(f"{name}@example.com", common_name=name)
    certificate, key = broker.folder / f"{name}.crt", broker.folder / f"{name}.key"
    certificate.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def _keep(issued: trustme.LeafCert, file: Path) -> None:
    """Writes key and certificates in the one form that Kafka reads."""
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(plain + b"".join(one.bytes() for one in issued.cert_chain_pems))


def _answers(broker: SecureBroker) -> bool:
    with contextlib.suppress(KafkaException):
        return bool(broker.admin.list_topics(timeout=2).brokers)
    return False


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
