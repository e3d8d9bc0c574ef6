"""MLflow on the same PostgreSQL and S3: parameters, course and results of trainings. One experiment per slot."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from urllib.parse import urlsplit

import psycopg
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from streams.settings import Settings
from training.part import Made, MLflowUnavailable

PREFIX = "mlflow"
"""Prefix of its artifacts in the bucket, which the sweeper of runs leaves alone."""

CALL = "millrace.call"
"""Tag with the id of the call: an interrupted training that continues is the same run."""


_PATIENCE = 5
"""Seconds to wait for PostgreSQL."""


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of MLflow and its S3 client."""
    return {
        "MLFLOW_TRACKING_URI": database(settings),
        "MLFLOW_S3_ENDPOINT_URL": settings.s3,
        "AWS_ACCESS_KEY_ID": settings.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        # Small S3 servers do not support the newer checksums.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def database(settings: Settings) -> str:
    """Return the URL of MLflow's database for SQLAlchemy."""
    return urlsplit(settings.mlflow_database)._replace(scheme="postgresql+psycopg").geturl()


def connect(settings: Settings) -> MlflowClient:
    """Connect a client. MLflow creates its tables at the first use, in some seconds. Changes this process's environment.

    Raises MLflowUnavailable at once, where MLflow would retry for minutes, even permanent errors.
    """
    try:
        psycopg.connect(settings.mlflow_database, connect_timeout=_PATIENCE).close()
    except psycopg.OperationalError as error:
        raise MLflowUnavailable(f"MLflow's database does not answer: {str(error).splitlines()[-1]}") from error
    os.environ.update(environment(settings))
    return MlflowClient(database(settings), database(settings))


class Run:
    """One training in MLflow."""

    def __init__(self, client: MlflowClient, id: str) -> None:
        self.id = id
        self._client = client

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Log the figures of an epoch, counted from 1."""
        now = int(time() * 1000)
        self._client.log_batch(self.id, [Metric(name, value, now, epoch) for name, value in figures.items()])

    def result(self, result: Made) -> None:
        """Log the result: parameters, figures, plots and the card."""
        now = int(time() * 1000)
        self._client.log_batch(
            self.id,
            metrics=[Metric(name, value, now, 0) for name, value in result.figures.items()],
            params=[Param(name, str(value)) for name, value in result.params.items()],
            tags=[RunTag("mlflow.runName", result.card["name"]), RunTag("millrace.version", result.card["version"])],
        )
        with TemporaryDirectory() as scratch:
            for name, data in result.pictures.items():
                Path(scratch, f"{name}.png").write_bytes(data)
            Path(scratch, "card.md").write_text(result.page, encoding="utf-8")
            self._client.log_artifacts(self.id, scratch)


@contextmanager
def run(client: MlflowClient, settings: Settings, slot: str, dataset: str, call: str) -> Iterator[Run]:
    """Start or continue the run of this call in the slot's experiment. It ends as finished, failed or killed."""
    experiment = _experiment(client, settings, slot)
    known = client.search_runs([experiment], f"tags.`{CALL}` = '{call}'", max_results=1) if call else []
    if known:
        id = known[0].info.run_id
        client.update_run(id, "RUNNING")
    else:
        id = client.create_run(experiment, tags={CALL: call}).info.run_id
        name, _, version = dataset.partition("@")
        used = Dataset(name, version, "s3", f'{{"bucket": "{settings.s3_bucket}", "dataset": "{dataset}"}}')
        client.log_inputs(id, [DatasetInput(used, [InputTag("mlflow.data.context", "training")])])
    try:
        yield Run(client, id)
    except Exception:
        client.set_terminated(id, "FAILED")
        raise
    except BaseException:
        client.set_terminated(id, "KILLED")
        raise
    client.set_terminated(id, "FINISHED")


def _experiment(client: MlflowClient, settings: Settings, slot: str) -> str:
    experiment = client.get_experiment_by_name(slot)
    if experiment is not None:
        return str(experiment.experiment_id)
    return str(client.create_experiment(slot, f"s3://{settings.s3_bucket}/{PREFIX}/{slot}"))
