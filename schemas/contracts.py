"""Contracts of services: the value, its checked-in form under `schemas/avro/services`, and its form on the wire."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Self

from schemas.errors import BadContract
from schemas.library import inline
from schemas.shapes import RefShape, branches, record_shape

META = "millrace"
"""The attribute of an input record schema that holds what a contract says beyond its two records."""
WHOLE = "*"
"""Stands for the whole input in `keeps`."""

_META = (
    "version",
    "summary",
    "description",
    "deterministic",
    "timeout",
    "memory",
    "example",
    "label",
    "keeps",
    "dataset",
    "trains",
)
"""What a contract says beyond its two records, in the order of its file."""
_OMITTED = frozenset({"example", "label", "keeps", "dataset", "trains"})
"""Those of them that are left out when they are empty."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True)
class Contract:
    """What a service accepts and returns, and how it may be run. Raises BadContract for parts that do not fit together."""

    name: str
    """Lower-case words joined by dashes: `image-blur`."""
    version: str
    """`major.minor.patch`; a new major version has a topic of its own."""
    summary: str
    description: str
    input: dict[str, Any] = field(hash=False)
    """An Avro record schema (JSON form). `millrace.Ref` and the other records of schemas/avro may be named only."""
    output: dict[str, Any] = field(hash=False)
    deterministic: bool = True
    """Whether the same input always gives the same output, so that a redelivered task may run again."""
    timeout: float = 30.0
    """Seconds that one execution may take."""
    memory: int = 1024
    """MiB that one execution may take."""
    example: Mapping[str, Any] | None = field(default=None, hash=False)
    """An input record in JSON form, or None."""
    label: str = ""
    """The output's field that a person can correct when a model was wrong; empty when there is none."""
    keeps: str = ""
    """What of the input is kept for training when a model has answered: a field that is a ref, or WHOLE."""
    dataset: str = ""
    """The dataset of the data catalogue that its model learns from, and corrections add to."""
    trains: str = ""
    """The service whose model it trains; empty when there is none."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadContract(f"service {self.name!r}: a name is lower-case words joined by dashes, such as image-blur")
        if not _VERSION.fullmatch(self.version):
            raise BadContract(f"service {self.name}: version {self.version!r} is not major.minor.patch, such as 1.0.0")
        if not self.timeout > 0:
            raise BadContract(f"service {self.name}: timeout {self.timeout!r} is not a positive number of seconds")
        if not self.memory > 0:
            raise BadContract(f"service {self.name}: memory {self.memory!r} is not a positive number of MiB")
        for side, schema in (("input", self.input), ("output", self.output)):
            try:
                record_shape(schema)
            except (ValueError, KeyError, TypeError) as error:
                raise BadContract(f"service {self.name}: the {side} schema cannot be used: {error}") from error
        if self.label and record_shape(self.output).field(self.label) is None:
            raise BadContract(f"service {self.name}: its label {self.label!r} is not a field of its output")
        if self.keeps and not (self.predicts and self._keepable()):
            raise BadContract(
                f"service {self.name}: keeps {self.keeps!r}: a field of its input that is an object, or {WHOLE!r}, and only"
                " where its output says `model` and `model_version`"
            )

    @property
    def major(self) -> int:
        """The major version: the `1` of topic `task.image-blur.v1`."""
        return int(self.version.split(".")[0])

    @property
    def predicts(self) -> bool:
        """Whether its output says which model it comes from: each is then kept as a prediction."""
        output = record_shape(self.output)
        return all(output.field(name) is not None for name in ("model", "model_version"))

    def _keepable(self) -> bool:
        field = record_shape(self.input).field(self.keeps)
        return self.keeps == WHOLE or (field is not None and RefShape() in branches(field.shape))

    @property
    def input_schema(self) -> dict[str, Any]:
        """The input schema with every shared record inside it, as a registry takes it."""
        schema: dict[str, Any] = inline(self.input)
        return schema

    @property
    def output_schema(self) -> dict[str, Any]:
        """The output schema with every shared record inside it."""
        schema: dict[str, Any] = inline(self.output)
        return schema

    def to_json(self) -> dict[str, Any]:
        """Return the contract as plain JSON values, as an announcement carries it."""
        return {"name": self.name, **self._meta(), "input": self.input, "output": self.output}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | str | bytes) -> Self:
        """Return the contract that `to_json` wrote, from values or JSON text; fields of later versions are ignored.

        Raises BadContract.
        """
        try:
            values = json.loads(data) if isinstance(data, (str, bytes)) else dict(data)
            return cls(**{key: value for key, value in values.items() if key in cls.__dataclass_fields__})
        except (TypeError, AttributeError, json.JSONDecodeError) as error:
            raise BadContract(f"not a contract: {error}") from error

    def _meta(self) -> dict[str, Any]:
        stated = {name: getattr(self, name) for name in _META}
        return {name: value for name, value in stated.items() if name not in _OMITTED or value not in (None, "")}


def load_contracts(folder: Path | None = None) -> dict[str, Contract]:
    """Return the contracts in `folder` (None: the checked-in ones) by service name, sorted. Raises BadContract."""
    place: Traversable = resources.files("schemas").joinpath("avro", "services") if folder is None else folder
    if not place.is_dir():
        return {}
    inputs = sorted(file.name for file in place.iterdir() if file.name.endswith(".input.avsc"))
    return {name: _load(place, name) for name in (file.removesuffix(".input.avsc") for file in inputs)}


def write_contract(folder: Path, contract: Contract) -> tuple[Path, Path]:
    """Write `<name>.input.avsc` and `<name>.output.avsc`; the same contract always gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{contract.name}.input.avsc", folder / f"{contract.name}.output.avsc"
    for path, text in zip(paths, render_contract(contract), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def render_contract(contract: Contract) -> tuple[str, str]:
    """Return the text of the two files that `write_contract` writes: input, output."""
    return _pretty({**contract.input, META: contract._meta()}), _pretty(contract.output)


def _load(place: Traversable, name: str) -> Contract:
    values = _read(place.joinpath(f"{name}.input.avsc"))
    output = _read(place.joinpath(f"{name}.output.avsc"))
    meta = values.pop(META, None)
    if not isinstance(meta, dict):
        raise BadContract(f"{name}.input.avsc: the attribute {META!r} with version, summary, … is missing")
    return Contract.from_json({**meta, "name": name, "input": values, "output": output})


def _read(file: Traversable) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadContract(f"{file.name} is missing: run `millrace schemas`") from None
    except ValueError as error:
        raise BadContract(f"{file.name}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise BadContract(f"{file.name}: expected an Avro record schema")
    return values


def _pretty(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
