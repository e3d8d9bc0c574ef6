"""Every setting, read once from the environment (and from the running local stack) into one frozen value."""

import json
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streams import homes
from streams.errors import Blame, MillraceError
from streams.kafka_settings import MECHANISMS, BadAccess, Brokers


class SettingError(MillraceError, ValueError):
    """A setting cannot be used; the message names the key and the bad value."""

    blame = Blame.OPERATOR


@dataclass(frozen=True)
class Settings:
    """Where the parts are. Each field is read from `MILLRACE_<FIELD>`; local defaults come from the running stack."""

    home: Path = Path(".millrace")
    """State of the local stack (that of this folder or one above it, else the only one that runs for this user): `stack.json`, `api-key`, `logs/`, data of the parts."""
    data: Path = Path(".millrace/data")
    """Public data and model weights, looked in before anything is downloaded."""
    object_detector: str = ""
    """The file that describes the detector of `object-detect`; empty: `models/object-detect.yaml` in `data`, if it is there."""
    pipelines: Path = Path("pipelines")
    """Folder of one's own pipeline files; `millrace test` runs their tests too, where it is there."""
    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers, comma separated."""
    kafka_protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    kafka_ca: str = ""
    """A file of certificates (PEM) that brokers are verified by; empty: those of the system."""
    kafka_certificate: str = ""
    """A file with one's own certificate (PEM), where brokers know clients by it."""
    kafka_key: str = ""
    """The file with its key (PEM)."""
    kafka_mechanism: str = MECHANISMS[0]
    """SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN."""
    kafka_user: str = ""
    kafka_password_file: str = ""
    """The file with the user's password, read at each connection."""
    registry: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    """Confluent-compatible schema registry."""
    s3: str = "http://127.0.0.1:9090"
    """S3 endpoint."""
    s3_access_key: str = "millrace"
    s3_secret_key: str = ""
    s3_bucket: str = "millrace"
    postgres: str = "postgresql://millrace@127.0.0.1:5432/millrace"
    mlflow: str = ""
    """MLflow's database; empty: the one named `mlflow` on the server of `postgres`."""
    train: Path = Path(".millrace/train")
    """The environment with TensorFlow and MLflow, in which models are trained."""
    http_host: str = "127.0.0.1"
    http_port: int = 8000
    topic_prefix: str = ""
    """Stands before every topic and consumer group, so that several installations share a cluster."""
    partitions: int = 8
    """Partitions of a new topic. Flow's input topics must all have this same count; `run.events` never changes."""
    replication: int = 1
    workers: int = 0
    """Processes of one worker's pool; 0 means one per core."""
    retain: float = 7 * 86_400.0
    """Seconds for which the objects of an ended run are kept, where its pipeline does not say."""
    executions: int = 1_000_000
    """Nodes, rounds and items of one run that a pipeline may allow at most (`limit:`)."""
    pipeline_names: int = 250
    """Names of pipelines, with those of removed ones whose topics are still there; each has two topics."""
    straight_runs: bool = True
    """Whether a run of one chain of services begins where it is asked for and ends at its last service, without flow between them."""
    announce: float = 30.0
    """Seconds between the announcements of a worker's services; it counts as gone after three of them."""

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the environment, then from `<home>/stack.json` of a running local stack, then defaults.

        Raises SettingError naming the key and value when one cannot be read.
        """
        environ = os.environ if environ is None else environ
        home = homes.find(environ)
        values: dict[str, object] = {"home": home, "data": home / "data"}
        values.update(_stack(home, environ))
        for field in fields(cls):
            key = f"MILLRACE_{field.name.upper()}"
            if key in environ:
                values[field.name] = _parse(key, environ[key], field.type)
        settings = cls(**values)  # type: ignore[arg-type]  # each value was parsed to its field's type
        try:
            settings.brokers  # noqa: B018  # computed now, so that contradictions are reported at once
        except BadAccess as error:
            raise SettingError(f"MILLRACE_{error}") from None
        return settings

    @property
    def brokers(self) -> Brokers:
        """Where Kafka is, and who one is there. Raises BadAccess."""
        return Brokers(
            servers=self.kafka,
            protocol=self.kafka_protocol,
            ca=self.kafka_ca,
            certificate=self.kafka_certificate,
            key=self.kafka_key,
            mechanism=self.kafka_mechanism,
            user=self.kafka_user,
            password_file=self.kafka_password_file,
        )

    @property
    def mlflow_database(self) -> str:
        """MLflow's database as a `postgresql://` URL: its tables say which version of each model is the champion."""
        return self.mlflow or urlsplit(self.postgres)._replace(path="/mlflow").geturl()

    def environ(self) -> dict[str, str]:
        """Return the same settings as environment variables, for a child process."""
        return {f"MILLRACE_{field.name.upper()}": _text(getattr(self, field.name)) for field in fields(self)}


_SWITCH = {"on": True, "off": False, "True": True, "False": False}
"""Values of a setting that is on or off; the last two are in the state file of a local stack."""
_BOUNDS = {
    "http_port": (1, 65_535),
    "partitions": (1, 10_000),
    "replication": (1, 100),
    "workers": (0, 1_000),
    "executions": (1, 1_000_000_000),
    "pipeline_names": (1, 100_000),
}
"""Of whole numbers, by their field."""


def _stack(home: Path, environ: Mapping[str, str]) -> dict[str, object]:
    """Return what a running local stack wrote about itself (`settings` in its state file); empty when none runs.

    Another Kafka than the stack's is not reached in the way of the stack's.
    """
    path = home / "stack.json"
    try:
        state = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingError(
            f"MILLRACE_HOME: {path} cannot be read ({error.strerror}); set it to a home of your own"
        ) from error
    except ValueError as error:
        raise SettingError(
            f"{path}: the local stack's state cannot be read ({error}); remove it or run `make clean`"
        ) from error
    known = {field.name: field.type for field in fields(Settings)}
    return {
        name: _parse(f"{path}: {name}", str(value), known[name])
        for name, value in state.get("settings", {}).items()
        if name in known and not (name.startswith("kafka") and "MILLRACE_KAFKA" in environ)
    }


def read_fields(
    kind: type[Any], prefix: str, environ: Mapping[str, str] | None = None, *, may_be_zero: Collection[str] = ()
) -> dict[str, Any]:
    """Return what the environment gives for the fields (text and numbers) of a dataclass, each under `<prefix><FIELD>`.

    Numbers are positive, and some may be zero. Raises SettingError naming the key and the bad value.
    """
    environ = os.environ if environ is None else environ
    keyed = ((field, f"{prefix}{field.name.upper()}") for field in fields(kind))
    return {
        field.name: _field(key, environ[key], field.type, zero=field.name in may_be_zero)
        for field, key in keyed
        if key in environ
    }


def _field(key: str, text: str, kind: object, *, zero: bool) -> str | int | float:
    if kind in (str, "str"):
        return text
    try:
        number = int(text) if kind in (int, "int") else float(text)
    except ValueError:
        number = math.nan
    if not (0 < number < math.inf or (zero and number == 0)):
        raise SettingError(f"{key}: expected a positive number, got {text!r}")
    return number


def _parse(key: str, value: str, kind: object) -> object:
    if kind in (Path, "Path"):
        return Path(value)
    if kind in (int, "int"):
        try:
            number = int(value)
        except ValueError:
            raise SettingError(f"{key}: expected a whole number, got {value!r}") from None
        least, most = _BOUNDS[key.rpartition(" ")[2].removeprefix("MILLRACE_").lower()]
        if not least <= number <= most:
            raise SettingError(f"{key}: expected a number from {least} to {most}, got {number}")
        return number
    if kind in (float, "float"):
        return _seconds(key, value)
    if kind in (bool, "bool"):
        if value not in _SWITCH:
            raise SettingError(f"{key}: expected on or off, got {value!r}")
        return _SWITCH[value]
    return value


def _text(value: object) -> str:
    """Format a setting as it is read from the environment."""
    return next(name for name, on in _SWITCH.items() if on is value) if isinstance(value, bool) else str(value)


def _seconds(key: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise SettingError(f"{key}: expected a positive number of seconds, got {value!r}")
    return seconds
