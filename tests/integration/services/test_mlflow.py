"""The registry of models as MLflow itself has it: what is read and written by SQL is what MLflow wrote, and reads."""

import asyncio
import dataclasses
import subprocess
from typing import Any

import pytest

from streams.models import Champion
from streams.runtime.models.champions import Connection, NoSuchVersion, connected, demote, promote, versions
from streams.settings import Settings
from tests.integration.support.model_registry import model_registry
from tests.integration.support.runtime_harness import ROOT
from tests.integration.support.trainer import PYTHON

SLOT = "oracle"

pytestmark = pytest.mark.usefixtures("training_environment")


def mlflow(url: str, what: str) -> str:
    """What MLflow's own client does and says (see `mlflow_client`)."""
    command = [
        str(PYTHON),
        "-m",
        "tests.integration.support.mlflow_client",
        url.replace("postgresql:", "postgresql+psycopg:"),
        what,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_registry_is_mlflows_own(settings: Settings) -> None:
    """Versions, tags and the alias that MLflow's client writes are read as they are; an alias that is moved, or taken away and
    set again, is so for MLflow; a version that MLflow deletes is gone.
    """

    async def asked(own: Settings, action: Any) -> Any:
        async with connected(own) as connection:
            assert connection is not None
            return await action(connection)

    async def main() -> None:
        async with model_registry(settings, SLOT) as made:
            own = dataclasses.replace(settings, mlflow=made.url)
            assert await asked(own, versions) == []
            await asyncio.to_thread(mlflow, made.url, "register")
            found = await asked(own, versions)
            assert [(one.slot, one.number, one.version, one.champion) for one in found] == [
                (SLOT, 1, "0123456789ab", False),
                (SLOT, 2, "ba9876543210", True),
                (SLOT, 3, "", False),
            ]
            bundle = f"models/{SLOT}/ba9876543210"
            assert found[1].as_champion() == Champion(SLOT, "oracle_2", "ba9876543210", 2, bundle)
            assert found[2].as_champion() is None

            async def move(connection: Connection) -> None:
                await promote(connection, SLOT, "0123456789ab")
                for wrong in ("3", "9"):
                    with pytest.raises(NoSuchVersion):
                        await promote(connection, SLOT, wrong)

            await asked(own, move)
            assert await asyncio.to_thread(mlflow, made.url, "champion") == "1"

            async def take_away_and_set(connection: Connection) -> None:
                assert await demote(connection, SLOT)
                assert not any(one.champion for one in await versions(connection))
                await promote(connection, SLOT, "2")

            await asked(own, take_away_and_set)
            assert await asyncio.to_thread(mlflow, made.url, "champion") == "2"
            await asyncio.to_thread(mlflow, made.url, "delete")
            assert [(one.number, one.champion) for one in await asked(own, versions)] == [(1, False), (3, False)]

    asyncio.run(main())
