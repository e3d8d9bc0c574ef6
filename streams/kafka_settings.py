"""How to reach Kafka: addresses, and who one is there, in the words of each client. No Kafka client is imported here."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.errors import Blame, MillraceError

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


class BadAccess(MillraceError, ValueError):
    """The settings of the access contradict each other; the message names the setting."""

    blame = Blame.OPERATOR


@dataclass(frozen=True)
class Brokers:
    """Bootstrap servers and the access to them. Files are read at each connection, so what is renewed in place is used.

    Raises BadAccess for settings that contradict each other.
    """

    servers: str
    """Comma separated."""
    protocol: str = "PLAINTEXT"
    ca: str = ""
    """A file of certificates (PEM) that brokers are verified by; empty: those of the system."""
    certificate: str = ""
    """A file with one's own certificate (PEM), for clients that are known by it."""
    key: str = ""
    mechanism: str = MECHANISMS[0]
    user: str = ""
    password_file: str = ""

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise BadAccess(f"KAFKA_PROTOCOL: {self.protocol!r} is not one of {', '.join(PROTOCOLS)}")
        if self.sasl and self.mechanism not in MECHANISMS:
            raise BadAccess(f"KAFKA_MECHANISM: {self.mechanism!r} is not one of {', '.join(MECHANISMS)}")
        if self.sasl and not (self.user and self.password_file):
            raise BadAccess(f"KAFKA_USER and KAFKA_PASSWORD_FILE are needed with {self.protocol}")
        if bool(self.certificate) != bool(self.key):
            raise BadAccess("KAFKA_CERTIFICATE and KAFKA_KEY are needed together")
        if not self.tls and (self.ca or self.certificate):
            raise BadAccess(f"KAFKA_CA and KAFKA_CERTIFICATE mean nothing with {self.protocol}: say SSL or SASL_SSL")

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether one says who one is by user and password."""
        return self.protocol.startswith("SASL")

    def aiokafka(self) -> dict[str, Any]:
        """Return the arguments of aiokafka's clients. Raises OSError when a file cannot be read."""
        arguments: dict[str, Any] = {"bootstrap_servers": self.servers, "security_protocol": self.protocol}
        if self.tls:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
            arguments["ssl_context"] = context
        if self.sasl:
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self._password(),
            }
        return arguments

    def confluent(self) -> dict[str, str]:
        """Return the configuration of confluent-kafka's clients. Raises OSError when the password cannot be read."""
        configuration = {"bootstrap.servers": self.servers, "security.protocol": self.protocol}
        if self.tls:
            files = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
            configuration |= {f"ssl.{name}.location": file for name, file in files.items() if file}
        if self.sasl:
            configuration |= {
                "sasl.mechanisms": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self._password(),
            }
        return configuration

    def _password(self) -> str:
        return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
