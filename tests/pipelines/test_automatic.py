"""Every service is also a pipeline of one node with the service's name."""

import pytest

from schemas.validation.conform import conform
from streams.language.types import from_avro
from streams.testing.driver import Driver
from tests.pipelines.studio import CONTRACTS, Studio, ref, topology


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_takes_and_gives_what_the_service_does(name: str) -> None:
    """Its inputs and outputs have the names and types of the service's, and the service is its only one."""
    made, contract = topology(name), CONTRACTS[name]
    assert list(made.services) == [name]
    for mine, its in ((made.input, contract.input), (made.output, contract.output)):
        assert [(one.name, str(one.type)) for one in from_avro(mine).fields] == [
            (one.name, str(one.type)) for one in from_avro(its).fields
        ]


def test_runs_the_service() -> None:
    """A run of it is one call of the service, with the service's defaults."""
    studio = Studio()
    made = topology("image-greyscale")
    given = conform(made.input, {"image": ref("photo")})
    assert Driver(made, studio.services()).run(given).output == {"image": ref("photo>grey")}
    assert [name for name, _ in studio.calls] == ["image-greyscale"]
