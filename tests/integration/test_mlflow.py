"""The registry of models as MLflow itself has it: what is read and written by SQL is what MLflow wrote, and reads."""

import asyncio
import dataclasses
from typing import Any

import pytest

from streams.models import Champion
from streams.runtime.champions import Connection, NoSuchVersion, connected, demote, promote, versions
from streams.settings import Settings
from tests.integration.shelf import shelf

mlflow = pytest.importorskip("mlflow", reason="MLflow is where models are trained: `make train` prepares that")

SLOT = "oracle"


def test_the_registry_is_mlflows_own(settings: Settings) -> None:
    """Versions, tags and the alias that MLflow's client writes are read as they are; an alias that is moved or taken away here
    is so for MLflow; a version that MLflow deletes is gone.
    """

    async def asked(own: Settings, action: Any) -> Any:
        async with connected(own) as connection:
            assert connection is not None
            return await action(connection)

    async def main() -> None:
        async with shelf(settings, SLOT) as made:
            own = dataclasses.replace(settings, mlflow=made.url)
            url = made.url.replace("postgresql://", "postgresql+psycopg://")
            assert await asked(own, versions) == []
            client = await asyncio.to_thread(mlflow.MlflowClient, url, url)
            await asyncio.to_thread(client.create_registered_model, SLOT)
            for number, version in enumerate(("0123456789ab", "ba9876543210", ""), 1):
                tags = {"millrace.model": f"oracle_{number}", "millrace.version": version} if version else {}
                await asyncio.to_thread(client.create_model_version, SLOT, "s3://millrace/models", tags=tags)
            await asyncio.to_thread(client.set_registered_model_alias, SLOT, "champion", "2")
            await asyncio.to_thread(client.set_registered_model_alias, SLOT, "challenger", "1")
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
            assert (await asyncio.to_thread(client.get_model_version_by_alias, SLOT, "champion")).version in (1, "1")
            await asked(own, lambda connection: demote(connection, SLOT))
            with pytest.raises(mlflow.MlflowException):
                await asyncio.to_thread(client.get_model_version_by_alias, SLOT, "champion")
            await asked(own, lambda connection: promote(connection, SLOT, "2"))
            assert (await asyncio.to_thread(client.get_model_version_by_alias, SLOT, "champion")).version in (2, "2")
            await asyncio.to_thread(client.delete_model_version, SLOT, "2")
            assert [(one.number, one.champion) for one in await asked(own, versions)] == [(1, False), (3, False)]

    asyncio.run(main())
