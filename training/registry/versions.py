"""The model registry: versions of a slot in MLflow, their bundles in S3, and the alias of the one that serves."""

from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from streams.models import Bundle, Champion, check
from streams.models.bundle import prefix_of
from streams.models.champion import ALIAS, BUNDLE, MODEL, VERSION
from streams.settings import Settings
from training.registry.objects import Objects

CALL, DATASET, VERDICT = "millrace.call", "millrace.dataset", "millrace.verdict"
"""More tags of a version: the id of its call, its dataset, and the verdict of the gate."""


class Registry:
    """The versions of one slot."""

    def __init__(self, client: MlflowClient, settings: Settings, objects: Objects, slot: str) -> None:
        self._client = client
        self._bucket = settings.s3_bucket
        self._objects = objects
        self._slot = slot

    def champion(self) -> Champion | None:
        """Return the version with the alias; None if there is none."""
        try:
            return self._entry(self._client.get_model_version_by_alias(self._slot, ALIAS))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def begin(self, shipped: Path) -> None:
        """Register the shipped bundle as version 1 and champion if the slot is empty."""
        if not self._versions():
            self.promote(self.add(check(shipped), {}))

    def add(self, bundle: Bundle, tags: Mapping[str, str], run: str = "") -> Champion:
        """Store a bundle and register it without the alias. An existing version of the same content gets these tags."""
        self._objects.keep(self._slot, bundle)
        for known in self._versions():
            if known.tags.get(VERSION) == bundle.version:
                for name, value in tags.items():
                    self._client.set_model_version_tag(self._slot, str(known.version), name, value)
                return self._entry(known)
        prefix = prefix_of(self._slot, bundle.version)
        own = {MODEL: bundle.name, VERSION: bundle.version, BUNDLE: prefix, DATASET: bundle.dataset}
        description = str(bundle.card.get("claims", ""))
        source = f"s3://{self._bucket}/{prefix}"
        entry = self._client.create_model_version(
            self._slot, source, run or None, {**own, **tags}, description=description
        )
        return self._entry(entry)

    def judged(self, entry: Champion, verdict: str) -> None:
        """Store the verdict of the gate with the version."""
        self._client.set_model_version_tag(self._slot, str(entry.number), VERDICT, verdict)

    def promote(self, entry: Champion) -> None:
        """Move the alias, so that running agents switch to the version."""
        self._client.set_registered_model_alias(self._slot, ALIAS, str(entry.number))

    def _versions(self) -> list[ModelVersion]:
        try:
            self._client.create_registered_model(self._slot)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return list(self._client.search_model_versions(f"name = '{self._slot}'", max_results=1000))

    def _entry(self, version: ModelVersion) -> Champion:
        tags = version.tags
        return Champion(
            self._slot, tags.get(MODEL, ""), tags.get(VERSION, ""), int(version.version), tags.get(BUNDLE, "")
        )
