"""What every part of a stack needs to know: the home, the ports, and the addresses of the other parts."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from infra.local.home import partitions
from infra.local.home.ports import LOOPBACK, Ports
from infra.local.home.secrets import Secrets
from infra.local.installation import java
from infra.local.installation.install import Parts
from streams.settings import Settings

USER = "millrace"
"""User name at every part but the gateway, with a different password at each."""


@dataclass(frozen=True)
class StackContext:
    """The folders, ports and secrets of one stack. `home` is absolute."""

    home: Path
    parts: Parts
    ports: Ports
    base: Settings
    training: Path | None = None
    """Folder into which the JVMs write class caches when they end; None to use existing caches."""

    @cached_property
    def secrets(self) -> Secrets:
        """The passwords between the parts."""
        return Secrets(self.home / "secrets")

    def password_file(self, name: str) -> Path:
        """Return the file of a password for clients that read it from a file; created if it does not exist yet."""
        self.secrets[name]
        return self.home / "secrets" / name

    def classes(self, part: str) -> tuple[str, ...]:
        """Return flags that make a JVM use its class cache, or write it."""
        if self.training is not None:
            return java.write_cache(self.training / f"{part}.aot")
        return java.use_cache(self.parts.class_cache(part))

    @cached_property
    def partitions(self) -> int:
        """Partitions of each topic, decided once because topics are created while the stack runs."""
        return partitions.of_home(self.home, self.base.partitions)

    def settings(self) -> Settings:
        """Return the settings of Millrace's own processes; chooses ports that are not chosen yet."""
        return replace(
            self.base,
            home=self.home,
            partitions=self.partitions,
            data=self.base.data.resolve(),
            train=self.base.train.resolve(),
            object_detector=self.base.object_detector and str(Path(self.base.object_detector).resolve()),
            kafka=f"{LOOPBACK}:{self.ports['kafka']}",
            kafka_protocol="SASL_PLAINTEXT",
            kafka_ca="",
            kafka_certificate="",
            kafka_key="",
            kafka_mechanism="PLAIN",
            kafka_user=USER,
            kafka_password_file=str(self.password_file("kafka")),
            registry=f"http://{USER}:{self.secrets['registry-http']}@{LOOPBACK}:{self.ports['registry']}/apis/ccompat/v7",
            s3=f"http://{LOOPBACK}:{self.ports['s3']}",
            s3_access_key=USER,
            s3_secret_key=self.secrets["s3"],
            postgres=f"postgresql://{USER}:{self.secrets['postgres']}@{LOOPBACK}:{self.ports['postgres']}/millrace",
            http_host=LOOPBACK,
            http_port=self.ports["gateway"],
        )
