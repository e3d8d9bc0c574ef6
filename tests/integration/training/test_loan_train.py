"""loan-train with everything behind it: when it is due, what the gate says, and what serves afterwards."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.loan.model import FOLDER
from streams.datasets.manifest import of_catalogue
from streams.messages import Action, Control, EventKind
from streams.models import read
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.trainer import Trainer, trainer
from tests.integration.support.waiting import until

__all__ = ["trainer"]

pytestmark = [pytest.mark.data, pytest.mark.slow]

OLD = "bank-marketing@000000000000"


@pytest.mark.timeout(420)
def test_a_training_is_due_when_the_data_is_another(trainer: Trainer, tmp_path: Path) -> None:
    """Nothing is done while the data is what the serving model learned from; when it is not, a training begins.

    One of few trees is worse than the shipped one: it is registered, and refused with the figures.
    """
    if not (trainer.settings.data / "bank-marketing").is_dir():
        pytest.skip("needs the public data: put bank-marketing into MILLRACE_DATA")
    own = dataclasses.replace(
        isolated(trainer.settings),
        mlflow=trainer.settings.mlflow,
        data=trainer.settings.data,
        train=trainer.settings.train,
    )

    async def main() -> tuple[Any, Any]:
        async with RuntimeHarness(own, tmp_path) as harness:
            await harness.start("loan-train", "flow")
            idle = await harness.output(await harness.submit("loan-train", {}))
            made = await harness.output(await harness.submit("loan-train", {"anyway": True, "trees": 12}), 300)
            with psycopg.connect(own.mlflow_database) as connection:
                connection.execute(
                    "update model_version_tags set value = %s where key = 'millrace.dataset' and version = 1", (OLD,)
                )
            due = await harness.submit("loan-train", {"trees": 12})
            await until(lambda: harness.events_of(due, EventKind.PROGRESS), 60, "a training that is due")
            await harness.connections.producer.send(await harness.connections.wire.control(Control(due, Action.CANCEL)))
            assert (await harness.ended(due)).event.kind is EventKind.RUN_CANCELLED
            return idle, made

    idle, made = asyncio.run(main())
    shipped, wanted = read(FOLDER), of_catalogue("bank-marketing").label
    assert (idle["trained"], idle["version"], idle["dataset"]) == (False, shipped.version, wanted)
    assert "Nothing is due" in idle["verdict"]
    assert (made["trained"], made["promoted"], made["dataset"]) == (True, False, wanted)
    assert made["verdict"].startswith("Refused"), made["verdict"]
    assert 0.7 < made["auc"] < shipped.card["metrics"]["test"]["auc"]["value"]
    assert made["version"] != shipped.version
    assert trainer.champion("loan-appetence")["millrace.version"] == shipped.version
