"""The registry of models: versions of a slot in MLflow, their bundles in S3, and the alias that says which one serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from streams.models import Bundle, check
from streams.models.bundle import prefix_of
from streams.settings import Settings
from training.objects import Objects

CHAMPION = "champion"
"""The alias of the version that serves; nothing else says so."""

MODEL, VERSION, BUNDLE, DATASET, VERDICT = (
    f"millrace.{word}" for word in ("model", "version", "bundle", "dataset", "verdict")
)
"""Tags of a version."""


@dataclass(frozen=True)
class Entry:
    """A version of a slot."""

    number: str
    """MLflow's own, counted from 1."""
    version: str
    """The bundle's."""


class Registry:
    """The versions of one slot."""

    def __init__(self, client: MlflowClient, settings: Settings, objects: Objects, slot: str) -> None:
        self._client = client
        self._bucket = settings.s3_bucket
        self._objects = objects
        self._slot = slot

    def champion(self) -> Entry | None:
        """The version with the alias; None when there is none."""
        try:
            return _entry(self._client.get_model_version_by_alias(self._slot, CHAMPION))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def found(self, shipped: Path) -> Entry | None:
        """Makes the shipped bundle version 1 and the champion where the slot is empty; the champion, if there is one now."""
        if not self._versions():
            self.promote(self.add(check(shipped), {}))
        return self.champion()

    def add(self, bundle: Bundle, tags: Mapping[str, str], run: str = "") -> Entry:
        """Stores a bundle and registers it, without an alias. A version that is there already stays as it is."""
        self._objects.keep(self._slot, bundle)
        for known in self._versions():
            if known.tags.get(VERSION) == bundle.version:
                return _entry(known)
        prefix = prefix_of(self._slot, bundle.version)
        own = {MODEL: bundle.name, VERSION: bundle.version, BUNDLE: prefix, DATASET: bundle.dataset}
        description = str(bundle.card.get("claims", ""))
        made = self._client.create_model_version(
            self._slot, f"s3://{self._bucket}/{prefix}", run or None, {**own, **tags}, description=description
        )
        return _entry(made)

    def fetch(self, entry: Entry, folder: Path) -> Bundle:
        """The bundle of a version, held against its hashes. Raises BadBundle and Missing."""
        return self._objects.fetch(self._slot, entry.version, folder)

    def judged(self, entry: Entry, verdict: str) -> None:
        """Keeps what the gate said with the version."""
        self._client.set_model_version_tag(self._slot, entry.number, VERDICT, verdict)

    def promote(self, entry: Entry) -> None:
        """Moves the alias, which makes running agents swap."""
        self._client.set_registered_model_alias(self._slot, CHAMPION, entry.number)

    def _versions(self) -> list[ModelVersion]:
        try:
            self._client.create_registered_model(self._slot)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return list(self._client.search_model_versions(f"name = '{self._slot}'", max_results=1000))


def _entry(version: ModelVersion) -> Entry:
    tags: Mapping[str, Any] = version.tags
    return Entry(str(version.version), str(tags.get(VERSION, "")))
