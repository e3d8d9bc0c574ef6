"""Other systems: each client of docs/how-to/producers.md, as it stands there, starts a run and reads its typed result."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from infra.local.installation import java
from tests.acceptance.command import ROOT, millrace
from tests.acceptance.system import System

DOC = (ROOT / "docs" / "how-to" / "producers.md").read_text(encoding="utf-8")
REQUESTS, RESULTS = "pipeline.order-total.requests", "pipeline.order-total.results"


def shell(section: str) -> str:
    """The commands that a section of the page shows, as one script."""
    text = next(part for part in DOC.split("\n## ") if part.startswith(section))
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


@dataclass(frozen=True)
class ShellClient:
    """Run commands in the shell of a checkout, with the addresses of Kafka and the registry."""

    folder: Path
    clients: Path

    @property
    def access(self) -> dict[str, str]:
        """What the page's first commands set."""
        registry = (self.clients / "registry.url").read_text().strip()
        return {"CLIENTS": str(self.clients), "KAFKA_CONF": str(self.clients / "kcat.conf"), "REGISTRY": registry}

    def runs(self, script: str) -> str:
        """What commands print. Fails with what they say when they fail."""
        # A Java of the system first, if there is one: it knows the certificates of the system.
        paths = [str(Path(sys.executable).parent), os.environ["PATH"], str(java.home() / "bin")]
        others = {name: value for name, value in os.environ.items() if not name.startswith(("MILLRACE_", "CLASSPATH"))}
        environ = {**others, "PATH": os.pathsep.join(paths), **self.access}
        said = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert said.returncode == 0, said.stdout + said.stderr
        return said.stdout


@pytest.fixture(scope="module")
def shell_client(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShellClient]:
    """A shell client of the running system, in which the page's pipeline is applied; it is removed in the end."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / ".millrace").mkdir()
    said = millrace("apply", str(ROOT / "docs" / "how-to" / "producers" / "order-total.yaml"), home=system.stack.home)
    assert said.status == 0, said.err
    yield ShellClient(folder, system.stack.home / "clients")
    assert millrace("apply", "--prune", home=system.stack.home).status == 0


def result(said: str) -> dict[str, Any]:
    """The result that commands print last, as a line of JSON (Maven resets a terminal's colours first)."""
    made: dict[str, Any] = json.loads(said[said.index("{") :])
    assert (made["pipeline"], made["status"], made["failure"], made["problems"]) == (
        "order-total",
        "finished",
        None,
        [],
    )
    assert uuid.UUID(made["run"])
    return made


def test_the_page_shows_the_pipeline_that_it_applies() -> None:
    """The YAML on the page is the file."""
    file = ROOT / "docs" / "how-to" / "producers" / "order-total.yaml"
    assert file.read_text(encoding="utf-8") == DOC.partition("```yaml\n")[2].partition("```")[0]


def test_the_java_client_is_of_the_release_of_the_broker() -> None:
    """Its Kafka jars are those of the embedded stack."""
    poms = [
        (ROOT / place / "pom.xml").read_text(encoding="utf-8")
        for place in ("docs/how-to/producers", "infra/local/installation")
    ]
    ours, theirs = (re.findall(r"<kafka\.version>([^<]+)<", pom) for pom in poms)
    assert ours == theirs != []


def test_a_shell_with_kcat(system: System, shell_client: ShellClient) -> None:
    """A line of JSON under a run id of one's own: its result is typed, and the same run over HTTP."""
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed: apt-get install kcat (the other clients of this file are always tried)")
    made = result(shell_client.runs(shell("A shell")))
    assert made["output"] == {"order": "kcat-1", "total": 750}
    with system.http as http:
        assert http.get(f"/runs/{made['run']}/result").json()["output"] == made["output"]


def test_a_console_producer_in_java(shell_client: ShellClient) -> None:
    """Avro through the registry, written and read by Kafka's own console tools and Apicurio's serializer."""
    made = result(shell_client.runs(shell("Java")))
    assert made["output"] == {"order": made["output"]["order"], "total": 675}


def test_a_console_producer_in_java_with_json(shell_client: ShellClient) -> None:
    """The console producer as it comes takes a line of JSON, without any header."""
    avro = "--line-reader AvroLines --reader-config .millrace/avro.properties"
    script = shell("Java")
    assert avro in script
    made = result(shell_client.runs(script.replace(avro, "")))
    assert made["output"]["total"] == 675


def test_confluents_client(shell_client: ShellClient) -> None:
    """Confluent's client takes the schema from the registry, and reads the typed result of its own run."""
    made = result(shell_client.runs(shell("Python")))
    assert made["output"] == {"order": "python-1", "total": 675}


def test_the_asyncapi_document_describes_what_they_used(system: System, shell_client: ShellClient) -> None:
    """Addresses, keys, headers and messages of the two topics are those with which the clients worked."""
    with system.http as http:
        document = http.get("/asyncapi.json").json()
        registered = {
            topic: json.loads(
                http.get(f"{system.settings.registry}/subjects/{topic}-value/versions/latest").json()["schema"]
            )
            for topic in (REQUESTS, RESULTS)
        }
    channels = {one["address"]: one for one in document["channels"].values()}
    asked, answered = channels[REQUESTS]["messages"], channels[RESULTS]["messages"]
    assert asked["json"]["contentType"] == "application/json"
    jsonschema.validate({"order": "x", "cents": 1, "pieces": 2}, asked["json"]["payload"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"order": "x", "cents": -1}, asked["json"]["payload"])
    for topic, message in ((REQUESTS, asked["record"]), (RESULTS, answered["record"])):
        described = message["payload"]["schema"]
        assert (described["namespace"], described["name"]) == (
            registered[topic]["namespace"],
            registered[topic]["name"],
        )
        names = [[field["name"] for field in one["fields"]] for one in (described, registered[topic])]
        assert names[0] == names[1]
    assert "millrace-run" in asked["record"]["headers"]["properties"]
    assert "millrace-run" in asked["json"]["headers"]["properties"]
    assert "its own run id" in asked["json"]["bindings"]["kafka"]["key"]["description"]
    actions = {
        document["channels"][one["channel"]["$ref"].rsplit("/", 1)[1]]["address"]: one["action"]
        for one in document["operations"].values()
    }
    assert (actions[REQUESTS], actions[RESULTS]) == ("receive", "send")
