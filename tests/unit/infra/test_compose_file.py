"""docker-compose.yml: valid by the Compose specification's own schema, and the same stack as the embedded one.

No Docker engine is needed: the schema is the one that check-jsonschema carries. That the images start is not tested here.
"""

import json
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from agents.hosting import plan
from infra.local.parts.kafka import FIXED
from infra.local.parts.millrace_processes import FLOW, RECORDER, services

TOP = Path(__file__).parents[3]
COMPOSE = TOP / "docker-compose.yml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as Compose reads it: YAML with anchors merged."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


@pytest.fixture(scope="module")
def validator() -> Validator:
    """The Compose specification's JSON schema, read as a file: the package's own code is not needed."""
    spec = find_spec("check_jsonschema")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    return validator_for(schema)(schema)


def test_the_file_keeps_to_the_compose_schema(compose: dict[str, Any], validator: Validator) -> None:
    """The schema has no objection."""
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(compose)] == []


def test_the_schema_would_object(compose: dict[str, Any], validator: Validator) -> None:
    """The check is a real one: a misspelt key and a wrong type are found."""
    broken = json.loads(json.dumps(compose))
    broken["services"]["kafka"]["heathcheck"] = {}
    broken["services"]["s3"]["ports"] = 9090
    assert {"$.services.kafka", "$.services.s3.ports"} <= {error.json_path for error in validator.iter_errors(broken)}


def test_every_port_is_published_on_loopback(compose: dict[str, Any]) -> None:
    """Nothing can be reached from another machine."""
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == 5
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_versions_are_those_of_the_embedded_stack(compose: dict[str, Any]) -> None:
    """Both ways of running start the same releases."""
    pom = (TOP / "infra" / "local" / "installation" / "pom.xml").read_text()
    versions = dict(re.findall(r"<(\w+)\.version>([^<]+)</", pom))
    images = {name: service["image"].rpartition(":")[2] for name, service in compose["services"].items()}
    assert images["kafka"] == versions["kafka"]
    assert images["registry"] == versions["registry"]
    assert images["s3"] == versions["s3proxy"]
    assert images["postgres"] == versions["postgres"].partition(".")[0]
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"]
    assert {images[name] for name in ("apply", "flow", "recorder", "worker", "gateway")} == {project}


def test_the_broker_is_set_as_in_the_embedded_stack(compose: dict[str, Any]) -> None:
    """What was tuned for one node holds in the container too, whose listeners are its own."""
    environment = compose["services"]["kafka"]["environment"]
    expected = {f"KAFKA_{key.replace('.', '_').upper()}": value for key, value in FIXED.items()}
    assert {key: environment.get(key) for key in expected} == expected


def test_the_workers_host_every_service(compose: dict[str, Any]) -> None:
    """A service that was added has a worker that hosts it."""
    assert len(plan(compose["services"]["worker"]["command"]).modules) == len(services())
    assert compose["services"]["flow"]["command"] == list(FLOW)
    assert compose["services"]["recorder"]["command"] == list(RECORDER)


def test_no_secret_has_a_value_in_the_file(compose: dict[str, Any]) -> None:
    """Passwords come from the environment, and a missing one is told with what to do."""
    entries = [
        (key, value)
        for service in compose["services"].values()
        for key, value in service.get("environment", {}).items()
        if re.search("PASSWORD|CREDENTIAL|SECRET", key) or key == "MILLRACE_POSTGRES"
    ]
    assert len(entries) >= 6
    assert all(re.search(r"\$\{MILLRACE_\w+:\?copy infra/docker/env.example", value) for _, value in entries)


def test_every_server_says_when_it_is_ready(compose: dict[str, Any]) -> None:
    """What others wait for has a health check; the gateway's stands in its image."""
    waited = {
        name
        for service in compose["services"].values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }
    assert waited == {"kafka", "registry", "s3", "postgres"}
    assert all("healthcheck" in compose["services"][name] for name in waited)
    assert "HEALTHCHECK" in (TOP / "infra" / "docker" / "Dockerfile").read_text()


def test_the_build_targets_exist(compose: dict[str, Any]) -> None:
    """Each image that is built names a stage of the Dockerfile."""
    stages = set(
        re.findall(r"^FROM \S+ AS (\S+)$", (TOP / "infra" / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    )
    built = [service["build"] for service in compose["services"].values() if "build" in service]
    assert {build["target"] for build in built} == {"agent", "gateway"} <= stages
    assert all((TOP / build["dockerfile"]).is_file() for build in built)
