"""The commands against a running system: what it offers, runs and their results, pipelines of one's own, dead letters."""

import base64
import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.acceptance import pictures
from tests.acceptance.command import ROOT, CommandResult, command, environ, millrace
from tests.acceptance.kafka_client import access
from tests.acceptance.system import System
from tests.integration.support.eventually import eventually

FOREVER = """\
pipeline: cli-forever
summary: Goes round until somebody stops it
input: {photo: image}
nodes:
  round:
    repeat: {image: "${photo}"}
    nodes:
      grey: {service: image-greyscale, with: {image: "${image}"}}
    next: {image: "${grey.image}"}
    max: 10000
    output: "${grey.image}"
output: {image: "${round}"}
"""


class Cli:
    """The command, with the system's home."""

    def __init__(self, system: System) -> None:
        self.home = system.stack.home

    def __call__(self, *arguments: str, given: bytes = b"") -> CommandResult:
        """Run it to its end."""
        return millrace(*arguments, home=self.home, given=given)

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """The results of a command that must succeed."""
        said = self(*arguments, "--output", "json")
        assert said.status == 0, said.err
        return said.rows


@pytest.fixture(scope="module")
def cli(system: System) -> Cli:
    """The command for the session's system."""
    return Cli(system)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of one person."""
    path = tmp_path_factory.mktemp("photos") / "astronaut.png"
    path.write_bytes(pictures.astronaut())
    return path


@pytest.fixture(scope="module")
def endless_pipeline(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A pipeline of one's own, applied, which goes on until it is cancelled; removed in the end."""
    path = tmp_path_factory.mktemp("own") / "forever.yaml"
    path.write_text(FOREVER)
    said = cli("apply", str(path), "--output", "json")
    assert said.status == 0, said.err
    changes = [row for row in said.rows if row["what"] == "pipeline"]
    assert [(row["name"], row["change"]) for row in changes] == [("cli-forever", "new")]
    assert cli.rows("apply", str(path)) == []
    yield "cli-forever"
    pruned = cli.rows("apply", "--prune")
    assert [(row["name"], row["change"]) for row in pruned] == [("cli-forever", "removed")]


@pytest.fixture
def endless_run(cli: Cli, endless_pipeline: str, photo: Path) -> Iterator[str]:
    """A run that does not end by itself."""
    (started,) = cli.rows("run", endless_pipeline, "-i", f"photo=@{photo}")
    assert started["status"] == "accepted"
    yield started["id"]
    cli("cancel", started["id"])
    assert cli("events", started["id"]).status == 11


def test_a_key_that_is_not_the_gateways(system: System, tmp_path: Path) -> None:
    """The file that the key is from is named, since the wrong home was chosen; also where events would be followed."""
    (tmp_path / "api-key").write_text("of another installation\n")
    port = {"MILLRACE_HTTP_PORT": system.url.rpartition(":")[2]}
    for arguments in (["services"], ["events", "x"]):
        said = millrace(*arguments, home=tmp_path, more=port)
        assert (said.status, said.out) == (1, "")
        assert f"the gateway at {system.url} does not know the key in {tmp_path / 'api-key'}" in said.err


def test_services_are_listed(cli: Cli) -> None:
    """Each live service with its version and workers; one alone in full."""
    found = {row["name"]: row for row in cli.rows("services")}
    assert {"face-detect", "image-blur"} <= set(found)
    assert found["image-blur"]["workers"]
    assert "image-blur" in cli("services").out
    assert "areas" in cli("services", "image-blur").out
    assert cli("services", "image-blr").status == 14


def test_pipelines_are_listed(cli: Cli) -> None:
    """Shipped pipelines and those of services; one alone as its author wrote it."""
    found = {row["name"]: row for row in cli.rows("pipelines")}
    assert {"face-blur", "blur-women", "to-jpg", "face-thumbnail", "describe-faces", "image-blur"} <= set(found)
    assert found["face-blur"]["owner"] == "git"
    assert cli("pipelines", "to-jpg").out == (ROOT / "streams/pipelines/to-jpg.yaml").read_text()


def test_a_run_is_followed_to_its_result(cli: Cli, photo: Path, tmp_path: Path) -> None:
    """Events come in order, the last line is where the result is, and `result -o` downloads what that address holds."""
    said = cli("run", "face-blur", "-i", f"photo=@{photo}", "-i", "strength=0.5", "--follow")
    assert said.status == 0, said.err
    names = [line.split()[2] for line in said.out.splitlines() if " s  " in line]
    assert names[0] == "run.accepted"
    assert names[-1] == "run.finished"
    assert names.count("node.finished") == 2
    assert said.out.splitlines()[-1].startswith("image: http://127.0.0.1:")
    run = said.err.split()[-1]
    (saved,) = cli.rows("result", run, "-o", str(tmp_path / "blurred.png"))
    assert pictures.opened(Path(saved["file"]).read_bytes()).size == (512, 512)
    (document,) = cli.rows("result", run)
    assert pictures.sha256((tmp_path / "blurred.png").read_bytes()) == document["output"]["image"]["ref"]["sha256"]


def test_events_are_shown_again(cli: Cli, photo: Path) -> None:
    """`events` prints the same events as `run --follow`, from the beginning or past an id."""
    said = cli("run", "to-jpg", "-i", f"photo=@{photo}", "--follow", "--output", "json")
    assert said.status == 0, said.err
    run = said.rows[0]["run"]
    again = cli.rows("events", run)
    assert [row["event"] for row in again] == [row["event"] for row in said.rows]
    assert again[-1]["output"]["image"]["ref"]["media_type"] == "image/jpeg"


def test_the_result_is_waited_for(cli: Cli, photo: Path) -> None:
    """With --wait, the result is the answer; with a key, the same request again is the same run."""
    arguments = ("run", "image-convert", "-i", f"image=@{photo}", "-i", "format=webp", "--wait", "60", "--key", "k-1")
    (first,) = cli.rows(*arguments)
    assert first["output"]["image"]["ref"]["media_type"] == "image/webp"
    (second,) = cli.rows(*arguments)
    assert second["id"] == first["id"]


def test_a_service_is_run_alone_from_stdin(cli: Cli, photo: Path) -> None:
    """A service takes its inputs as a pipeline does; lists are JSON, and @- is stdin."""
    said = cli(
        *("run", "image-crop", "-i", "image=@-", "-i", 'areas=[{"x": 0, "y": 0, "width": 40, "height": 30}]'),
        *("--wait", "60", "--output", "json"),
        given=photo.read_bytes(),
    )
    assert said.status == 0, said.err
    assert len(said.rows[0]["output"]["images"]) == 1


def test_several_images_go_to_a_folder(cli: Cli, photo: Path, tmp_path: Path) -> None:
    """Every image of a list becomes a file, named after its place in the result."""
    areas = json.dumps([{"x": 0, "y": 0, "width": 40, "height": 30}, {"x": 9, "y": 9, "width": 20, "height": 10}])
    (done,) = cli.rows("run", "image-crop", "-i", f"image=@{photo}", "-i", f"areas={areas}", "--wait", "60")
    saved = cli.rows("result", done["id"], "-o", f"{tmp_path / 'crops'}/")
    assert [Path(row["file"]).name for row in saved] == ["images-0.png", "images-1.png"]
    assert [pictures.opened(Path(row["file"]).read_bytes()).size for row in saved] == [(40, 30), (20, 10)]
    refused = cli("result", done["id"], "-o", str(tmp_path / "one.png"))
    assert (refused.status, refused.out) == (2, "")
    assert "holds 2 images, and" in refused.err
    assert not (tmp_path / "one.png").exists()


def test_wrong_inputs_are_listed(cli: Cli, photo: Path) -> None:
    """Every wrong input is named, with what to do, and no run is made."""
    said = cli("run", "face-blur", "-i", f"photo=@{ROOT / 'pyproject.toml'}", "-i", "strength=7")
    assert (said.status, said.out) == (1, "")
    assert "photo: the content is no picture" in said.err
    assert "strength: " in said.err


def test_a_failed_run(cli: Cli, photo: Path) -> None:
    """A run that fails says why, in its events and as its result, each with the status for it."""
    areas = 'areas=[{"x": 0, "y": 0, "width": 4000, "height": 30}]'
    said = cli("run", "image-crop", "-i", f"image=@{photo}", "-i", areas, "--follow")
    assert said.status == 10
    assert "lies outside of the picture" in said.out
    failed = cli("result", said.err.split()[-1])
    assert (failed.status, failed.out) == (10, "")
    assert "lies outside of the picture" in failed.err


def test_a_run_is_cancelled(cli: Cli, endless_run: str) -> None:
    """A run that goes on has no result yet; cancelled, its last event and its result say so."""
    assert cli("result", endless_run).status == 12
    assert cli("cancel", endless_run).status == 0
    assert cli("events", endless_run).status == 11
    result = cli("result", endless_run)
    assert (result.status, result.err) == (11, "millrace: The run was cancelled.\n")
    assert cli("cancel", endless_run).status == 1


def test_runs_are_listed(cli: Cli, endless_run: str) -> None:
    """The newest first, of one pipeline, in one state, since a moment; a reason stands where a run has failed."""
    assert cli("cancel", endless_run).status == 0
    assert cli("events", endless_run).status == 11

    def listed(*arguments: str) -> list[str]:
        return [row["id"] for row in cli.rows("runs", *arguments)]

    eventually(
        lambda: endless_run in listed("--pipeline", "cli-forever", "--status", "cancelled", "--since", "10m"), 30
    )
    assert listed("--pipeline", "cli-forever", "--last", "1") == [endless_run]
    assert endless_run not in listed("--status", "failed", "--status", "finished", "--last", "600")
    assert endless_run not in listed("--until", "1h")
    shown = cli("runs", "--pipeline", "cli-forever", "--last", "1")
    assert shown.out.splitlines()[0].split() == ["RUN", "PIPELINE", "STATUS", "ACCEPTED", "SECONDS"]
    assert shown.out.splitlines()[1].split()[:3] == [endless_run, "cli-forever", "cancelled"]
    assert cli("runs", "--since", "yesterday").status == 2


def test_one_pipeline_is_deleted(cli: Cli, tmp_path: Path) -> None:
    """It is asked first; afterwards it is gone, and the others are there."""
    file = tmp_path / "gone.yaml"
    file.write_text('pipeline: cli-gone\nsummary: Gives back what it takes\ninput: {n: int}\noutput: {n: "${n}"}\n')
    assert cli("apply", str(file), "--yes").status == 0
    eventually(lambda: cli("pipelines", "cli-gone").status == 0, 30)
    assert cli("delete", "cli-gone").status == 1
    assert cli("pipelines", "cli-gone").status == 0
    assert cli("delete", "cli-gone", "--yes").out == "cli-gone is deleted\n"
    eventually(lambda: cli("pipelines", "cli-gone").status == 14, 30)
    assert cli("delete", "cli-gone", "--yes").status == 14
    assert cli("pipelines", "face-blur").status == 0


def test_ctrl_c_leaves_the_run_alone(cli: Cli, endless_run: str) -> None:
    """Ctrl-C ends the command with 130 and nothing else."""
    with subprocess.Popen(
        command("events", endless_run),
        cwd=ROOT,
        env=environ(cli.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # As at a terminal: a process that was started in the background ignores the signal, and its children do.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    assert cli("result", endless_run).status == 12


def test_an_unknown_name_has_a_status_of_its_own(cli: Cli) -> None:
    """Runs, pipelines and letters that there are not have a status of their own."""
    for arguments in (["result", "no-such-run"], ["events", "no-such-run"], ["run", "no-such-pipeline"]):
        assert cli(*arguments).status == 14
    assert cli("dead-letters", "show", "0-123456").status == 14


def test_dead_letters_are_read_and_sent_again(cli: Cli, system: System) -> None:
    """Garbage on a public topic is listed with its reason, shown byte for byte, and sent again it comes back."""
    garbage = b"\xff no request " + uuid.uuid4().bytes
    topic = system.settings.topic_prefix + "pipeline.to-jpg.requests"
    before = {row["id"] for row in cli.rows("dead-letters", "list", "--last", "1000")}
    producer = Producer(access(system.settings))
    producer.produce(topic, garbage)
    assert producer.flush(30) == 0
    fresh: list[dict[str, Any]] = []

    def listed(count: int) -> bool:
        rows = cli.rows("dead-letters", "list", "--last", "1000")
        fresh[:] = [row for row in rows if row["id"] not in before and row["topic"] == topic]
        return len(fresh) >= count

    eventually(lambda: listed(1), 60)
    identity = fresh[0]["id"]
    (shown,) = cli.rows("dead-letters", "show", identity)
    assert base64.b64decode(shown["value_base64"]) == garbage
    assert shown["reason"] == fresh[0]["reason"]
    ended = subprocess.run(
        command("dead-letters", "show", identity, "--raw"), cwd=ROOT, env=environ(cli.home), capture_output=True
    )
    assert ended.stdout == garbage
    assert cli("dead-letters", "resend", identity).status == 0
    eventually(lambda: listed(2), 60)
    assert {row["id"]: row["resent"] for row in cli.rows("dead-letters", "list", "--topic", topic)}[identity] is True
    chosen = ("--topic", topic, "--since", "1h", "--reason", "no record of")
    dry = {row["id"] for row in cli.rows("dead-letters", "resend", *chosen, "--dry-run")}
    assert fresh[1]["id"] in dry
    assert identity not in dry
    assert {row["id"] for row in cli.rows("dead-letters", "resend", *chosen)} == dry
    eventually(lambda: listed(3), 60)
    assert cli("dead-letters", "resend").status == 2
    assert cli("dead-letters", "resend", identity, "--all").status == 2
    assert cli("dead-letters", "list", "--since", "yesterday").status == 2


def test_the_stack_says_how_it_is(cli: Cli) -> None:
    """`status` shows every part of the running system."""
    parts = {row["part"]: row["state"] for row in cli.rows("status")}
    assert parts["kafka"] == "ready"
    assert parts["gateway"] == "ready"


def test_apply_refuses_what_breaks_others(cli: Cli, endless_pipeline: str, tmp_path: Path) -> None:
    """An input that callers do not send, or an output that readers miss, is refused before anything is published."""
    broken = FOREVER.replace("{photo: image}", "{photo: image, size: int}").replace("{image: ", "{picture: ", 1)
    broken = broken.replace("output: {image:", "output: {picture:")
    path = tmp_path / "forever.yaml"
    path.write_text(broken.replace('repeat: {picture: "${photo}"}', 'repeat: {image: "${photo}"}'))
    said = cli("apply", str(path))
    assert (said.status, said.out) == (1, "")
    assert "pipeline cli-forever: the new input does not take what callers send now: size" in said.err
    assert "pipeline cli-forever: who reads its results now cannot read the new ones" in said.err
    assert [row["name"] for row in cli.rows("pipelines") if row["name"] == endless_pipeline] == [endless_pipeline]
