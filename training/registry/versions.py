"""The registry of models: versions of a slot in MLflow, their bundles in S3, and the alias that says which one serves."""

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
"""Further tags of a version: which call asked for it, what it learned from, what the gate said."""


class Registry:
    """The versions of one slot."""

    def __init__(self, client: MlflowClient, settings: Settings, objects: Objects, slot: str) -> None:
        self._client = client
        self._bucket = settings.s3_bucket
        self._objects = objects
        self._slot = slot

    def champion(self) -> Champion | None:
        """The version with the alias; None when there is none."""
        try:
            return self._entry(self._client.get_model_version_by_alias(self._slot, ALIAS))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def begin(self, shipped: Path) -> None:
        """Makes the shipped bundle version 1 and the champion, where the slot is empty."""
        if not self._versions():
            self.promote(self.add(check(shipped), {}))

    def add(self, bundle: Bundle, tags: Mapping[str, str], run: str = "") -> Champion:
        """Stores a bundle and registers it, without the alias. A version that is there already gets these tags."""
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
        """Keeps what the gate said with the version."""
        self._client.set_model_version_tag(self._slot, str(entry.number), VERDICT, verdict)

    def promote(self, entry: Champion) -> None:
        """Moves the alias, which makes running agents swap."""
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
