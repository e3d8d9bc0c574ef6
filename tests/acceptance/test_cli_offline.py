"""The commands that need no server: help, lint, compile, and their errors when there is no server."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from streams.cli.exits import MEANINGS
from streams.language.topology import Topology
from tests.acceptance.command import ROOT, command, environ, in_process, millrace

COMMANDS = (
    "up",
    "down",
    "status",
    "restart",
    "lint",
    "test",
    "import",
    "compile",
    "apply",
    "services",
    "pipelines",
    "delete",
    "runs",
    "run",
    "events",
    "result",
    "cancel",
    "dead-letters",
    "data",
    "bench",
    "schemas",
)
OURS = (
    *((name,) for name in COMMANDS if name not in ("dead-letters", "data")),
    ("dead-letters", "list"),
    ("dead-letters", "show"),
    ("dead-letters", "resend"),
    ("data", "fetch"),
    ("data", "keep"),
    ("data", "versions"),
)

BROKEN = """\
pipeline: broken
input:
  photo: image
nodes:
  detect: {service: face-detct, with: {image: "${photo}"}}
  blur:
    service: image-blur
    when: "photo =="
    with:
      image: "${photo}"
      areas: "${faces}"
      strenth: 3
output:
  image: "${blur.image}"
"""

GOOD = """\
pipeline: mine
summary: Grey, then small
input: {photo: image}
nodes:
  grey: {service: image-greyscale, with: {image: "${photo}"}}
  small: {service: image-resize, with: {image: "${grey.image}", width: 32}}
output: {image: "${small.image}"}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which nothing runs."""
    return tmp_path / "home"


def test_help_names_every_command_and_every_exit_status(home: Path) -> None:
    """The help of all lists the commands, and the literal table of exit statuses."""
    said = millrace("--help", home=home)
    assert said.status == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name}\b", said.out, re.MULTILINE), name
    for status, meaning in MEANINGS.items():
        assert re.search(rf"^ +{status.value}  {re.escape(meaning)}$", said.out, re.MULTILINE), status


@pytest.mark.parametrize("name", OURS, ids=" ".join)
def test_help_of_each_command_has_examples(name: tuple[str, ...], home: Path) -> None:
    """Every command shows how it is used, with examples that begin with its own name."""
    said = in_process(*name, "--help", home=home)
    assert said.status == 0
    examples = said.out.split("Examples:\n")[1].splitlines()
    assert examples
    assert all(line.startswith(f"    millrace {' '.join(name)}") for line in examples)


def test_help_loads_nothing_heavy(home: Path) -> None:
    """Help starts at once: neither clients nor the compiler are loaded for it."""
    code = "import sys; from streams.cli.app import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run(
        [command()[0], "-c", code], cwd=ROOT, env=environ(home), capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in ended.stderr.split()}
    assert not loaded & {"aiokafka", "confluent_kafka", "httpx", "boto3", "obstore", "yaml", "cel_expr_python", "rich"}
    assert not loaded & {"asyncio", "msgspec", "pydantic"}
    ours = {name for name in ended.stderr.split() if name.startswith(("streams.", "agents."))}
    assert ours == {
        *(f"streams.cli{name}" for name in ("", ".app", ".command", ".commands", ".exits", ".extensions")),
        *("agents.loan", "agents.loan.commands"),
    }


def test_a_word_that_is_no_command(home: Path) -> None:
    """A mistyped command is a mistake of the command line, and the nearest one is offered."""
    said = millrace("lnt", home=home)
    assert said.status == 2
    assert "lint" in said.err


def test_lint_says_every_problem_with_its_place(tmp_path: Path, home: Path) -> None:
    """All problems at once: file, line, column, where, what, and a hint; the exit status is 1."""
    file = tmp_path / "broken.yaml"
    file.write_text(BROKEN)
    said = millrace("lint", str(file), home=home)
    assert said.status == 1
    lines = said.out.splitlines()
    assert len(lines) == 5
    assert lines[0] == (
        f"{file}:5:21: nodes.detect.service: unknown service 'face-detct' (did you mean 'face-detect'?)"
    )
    assert lines[1].startswith(f"{file}:8:")
    assert "nodes.blur.when: " in lines[1]
    assert lines[2].startswith(f"{file}:11:17: nodes.blur.with.areas: unknown name 'faces'")
    assert lines[3] == (
        f"{file}:12:16: nodes.blur.with.strenth: service image-blur has no input 'strenth' (did you mean 'strength'?)"
    )
    assert lines[4] == (
        f"{file}:14:3: output: the output reads blur, which may be skipped (give a second choice: first(a, b))"
    )
    assert "5 problems in 1 of 1 files" in said.err


def test_lint_in_json(tmp_path: Path, home: Path) -> None:
    """One JSON object a problem, with the place in parts."""
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "good.yaml").write_text(GOOD)
    said = millrace("lint", str(tmp_path), "--output", "json", home=home)
    assert said.status == 1
    assert {row["line"] for row in said.rows} == {5, 8, 11, 12, 14}
    assert set(said.rows[0]) == {"file", "line", "column", "where", "problem", "hint"}


def test_lint_of_what_is_right(tmp_path: Path, home: Path) -> None:
    """Nothing on stdout, and success; what is shipped is right too."""
    (tmp_path / "good.yaml").write_text(GOOD)
    said = millrace("lint", str(tmp_path / "good.yaml"), "streams/pipelines", home=home)
    assert (said.status, said.out) == (0, "")


def test_lint_of_a_file_that_is_not_there(home: Path) -> None:
    """A file that cannot be read is a problem of that file."""
    said = millrace("lint", "nowhere.yaml", home=home)
    assert said.status == 1
    assert said.out == "nowhere.yaml: the file cannot be read: No such file or directory\n"


def test_lint_finds_what_is_wrong_with_tests(tmp_path: Path, home: Path) -> None:
    """Tests in a file are checked with it: a mock of no node, a value of another type; --json is --output json."""
    (tmp_path / "mine.yaml").write_text(GOOD + "tests:\n  - {name: x, input: {photo: 1}, mock: {gray: {}}}\n")
    said = millrace("lint", str(tmp_path / "mine.yaml"), "--json", home=home)
    assert said.status == 1
    assert [(row["line"], row["column"], row["where"]) for row in said.rows] == [
        (9, 30, "tests[0].input.photo"),
        (9, 47, "tests[0].mock.gray"),
    ]
    assert said.rows[0]["problem"] == "int is given, image is expected"
    assert said.rows[1]["hint"] == "did you mean 'grey'?"


TESTED = (
    GOOD
    + """\
tests:
  - name: small
    input: {photo: file:a.png}
    mock: {grey: {image: image:grey}, small: {image: image:small}}
    expect: {image: image:small, skipped: []}
  - name: the size is passed on
    input: {photo: image:any}
    mock: {grey: {image: image:grey}, small: {image: "${given.image}"}}
    expect: {image: image:green}
"""
)


@pytest.fixture
def file_with_tests(tmp_path: Path) -> Path:
    """A pipeline with a test that holds and one that does not, and the picture that one of them names."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "mine.yaml").write_text(TESTED)
    return tmp_path / "mine.yaml"


def test_tests_of_a_file_are_run(file_with_tests: Path, home: Path) -> None:
    """What holds and what does not, with both sides, the place and the seed; the status is 1 when something fails."""
    said = millrace("test", str(file_with_tests), "--seed", "7", home=home)
    assert said.status == 1
    ok, fail, difference = said.out.splitlines()
    assert re.fullmatch(r"ok   mine: small \(\d+ ms\)", ok)
    assert re.fullmatch(r"FAIL mine: the size is passed on \(\d+ ms\)", fail)
    assert difference.endswith('mine.yaml:16:21: tests[1].expect.image: expected "image:green", got "image:grey"')
    assert said.err == "millrace: 2 tests of 1 pipeline, 1 failed; --seed 7 is the same weather\n"


def test_tests_in_json_and_chosen_by_name(file_with_tests: Path, home: Path) -> None:
    """One object a test; -k takes those with a word in their name, in any case."""
    said = millrace("test", str(file_with_tests), "-k", "SMALL", "--json", home=home)
    assert said.status == 0
    (row,) = said.rows
    assert (row["pipeline"], row["test"], row["passed"], row["line"]) == ("mine", "small", True, 9)
    assert (row["weathers"], row["problems"]) == (5, [])
    (row,) = millrace("test", str(file_with_tests), "-k", "size", "--output", "json", home=home).rows
    assert (row["passed"], row["problems"][0]["where"]) == (False, "tests[1].expect.image")


def test_shipped_pipelines_are_tested_without_naming_them(file_with_tests: Path, home: Path) -> None:
    """Without files, the tests of the shipped pipelines run, and those of the configured folder."""
    said = millrace("test", "--json", home=home)
    assert said.status == 0
    shipped = {row["pipeline"] for row in said.rows}
    assert shipped == {"blur-women", "classify-cell", "describe-faces", "face-blur", "face-thumbnail", "to-jpg"}
    said = millrace("test", "--json", home=home, more={"MILLRACE_PIPELINES": str(file_with_tests.parent)})
    assert said.status == 1
    assert {row["pipeline"] for row in said.rows} == {*shipped, "mine"}


def test_tests_of_what_does_not_compile_are_not_run(file_with_tests: Path, home: Path) -> None:
    """Problems are said as lint says them, and nothing is run."""
    file_with_tests.write_text(TESTED.replace("image-greyscale", "image-grayscale"))
    said = millrace("test", str(file_with_tests), home=home)
    assert (said.status, said.out) == (1, "")
    assert "mine.yaml:5:19: nodes.grey.service: unknown service 'image-grayscale'" in said.err
    assert "1 problem; nothing was run" in said.err


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A tree in git with the contracts as they are, in which face-detect then calls its faces otherwise."""
    services = tmp_path / "tree" / "schemas" / "avro" / "services"
    shutil.copytree(ROOT / "schemas" / "avro" / "services", services)
    git = ["git", "-C", str(tmp_path / "tree"), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "contracts"]):
        subprocess.run([*git, *arguments], check=True)
    file = services / "face-detect.output.avsc"
    file.write_text(file.read_text().replace('"name": "faces"', '"name": "people"'))
    file = services / "image-blur.input.avsc"
    file.write_text(file.read_text().replace('"maximum": 1', '"maximum": 0.5'))
    return tmp_path / "tree"


def test_lint_against_a_revision_says_what_a_change_breaks(repository: Path, home: Path) -> None:
    """Each pipeline that compiled with the contracts of that revision and does not now: place, types, and what changed."""
    said = millrace("lint", "--against", "HEAD", home=home, cwd=repository)
    assert said.status == 1
    lines = said.out.splitlines()
    assert (
        "face-blur breaks: streams/pipelines/face-blur.yaml:18:23: nodes.blur.with.areas: undefined field 'faces'"
        " of {people: [{…}], model: string, model_version: string} (there is model, model_version, people)"
    ) in lines
    assert "    image-blur.input.strength: was maximum 1, is maximum 0.5" in lines
    assert (
        "    face-detect.output.people: was not there, is [{area: {…}, score: float, landmarks: {…} or null}], required"
        in lines
    )
    assert not any(line.startswith("describe-faces") for line in lines)
    assert re.fullmatch(r"millrace: 2 of \d+ contracts changed since HEAD, 3 of 6 pipelines break\n", said.err)


def test_lint_against_a_folder_in_json(repository: Path, home: Path, tmp_path: Path) -> None:
    """A folder of contracts serves as well as a revision; one object a pipeline, also for one that may fail only."""
    (tmp_path / "mine.yaml").write_text(
        "pipeline: mine\ninput: {i: image, s: float}\nnodes:\n"
        '  b: {service: image-blur, with: {image: "${i}", areas: [], strength: "${s}"}}\noutput: {i: "${b.image}"}\n'
    )
    old = str(ROOT / "schemas" / "avro" / "services")
    said = millrace("lint", str(tmp_path / "mine.yaml"), "--against", old, "--json", home=home, cwd=repository)
    assert said.status == 1
    rows = {row["pipeline"]: row for row in said.rows}
    assert {name for name, row in rows.items() if row["breaking"]} == {"blur-women", "face-blur", "face-thumbnail"}
    assert rows["mine"]["narrowed"] == ["b gives image-blur strength: maximum 1 became 0.5"]
    assert {one["service"] for one in rows["face-blur"]["changes"]} == {"face-detect", "image-blur"}


def test_lint_against_what_is_the_same(home: Path) -> None:
    """Nothing is said, and the exit status is 0."""
    said = millrace("lint", "--against", str(ROOT), home=home)
    assert (said.status, said.out) == (0, "")
    assert re.match(r"millrace: 0 of \d+ contracts changed", said.err)


OLDER = """\
{"type": "pipeline", "nodes": [
  {"type": "entry", "id": "in", "api": {"route": "old", "body": "image"}, "next": ["grey"]},
  {"type": "service", "id": "grey", "url": "http://x/image-greyscale", "input": {"image": "in.out.image"}, "next": ["out"]},
  {"type": "end", "id": "out", "input": {"image": "grey.out.result"}}]}
"""


def test_import_writes_what_lint_accepts(tmp_path: Path, home: Path) -> None:
    """The YAML on stdout, or in a file that was not there; lint has nothing to say of it."""
    (tmp_path / "old.json").write_text(OLDER)
    said = millrace("import", str(tmp_path / "old.json"), home=home)
    assert said.status == 0
    assert yaml.safe_load(said.out)["nodes"]["grey"]["service"] == "image-greyscale"
    target = tmp_path / "new.yaml"
    assert millrace("import", str(tmp_path / "old.json"), "-o", str(target), home=home).status == 0
    assert target.read_text() == said.out
    assert millrace("lint", str(target), home=home).status == 0
    again = millrace("import", str(tmp_path / "old.json"), "-o", str(target), home=home)
    assert again.status == 1
    assert "is there already" in again.err


def test_import_says_what_has_no_counterpart(tmp_path: Path, home: Path) -> None:
    """Every such thing with its place, also in JSON; nothing is written."""
    code = OLDER.replace('"next": ["out"]', '"next": ["out"], "after": "import os"').replace(
        "image-greyscale", "nothing"
    )
    (tmp_path / "old.json").write_text(code)
    target = tmp_path / "new.yaml"
    said = millrace("import", str(tmp_path / "old.json"), "-o", str(target), "--json", home=home)
    assert said.status == 1
    assert [(row["pointer"], row["node"]) for row in said.rows] == [
        ("/nodes/1/after", "grey"),
        ("/nodes/1/url", "grey"),
    ]
    assert not target.exists()
    (tmp_path / "old.json").write_text(OLDER.replace("image-greyscale", "nothing"))
    said = millrace("import", str(tmp_path / "old.json"), "--service", "nothing=image-greyscale", home=home)
    assert said.status == 0


def test_compile_describes_a_pipeline(home: Path) -> None:
    """Name, digest, inputs, outputs and services; the digest is that of the topology itself."""
    (row,) = in_process("compile", "face-blur", "--output", "json", home=home).rows
    topology = Topology.from_json(in_process("compile", "face-blur", "--json", home=home).out)
    assert row["digest"] == topology.digest
    assert row["input"] == ["photo", "strength"]
    assert row["output"] == ["image"]
    assert row["services"] == {"face-detect": "1.0.0", "image-blur": "1.0.0"}
    assert topology.digest in in_process("compile", "face-blur", home=home).out


def test_compile_takes_files(tmp_path: Path, home: Path) -> None:
    """A file of one's own is compiled without applying it."""
    (tmp_path / "mine.yaml").write_text(GOOD)
    said = in_process("compile", str(tmp_path / "mine.yaml"), "--mermaid", home=home)
    assert said.status == 0
    assert said.out.startswith("flowchart TD\n")
    assert '"grey<br/>image-greyscale"' in said.out


def test_compile_to_topics(home: Path) -> None:
    """The topics that a pipeline needs, under the prefix and with the partitions of the settings."""
    more = {"MILLRACE_TOPIC_PREFIX": "team-", "MILLRACE_PARTITIONS": "3"}
    said = in_process("compile", "to-jpg", "--topics", "--output", "json", home=home, more=more)
    topics = {row["topic"]: row for row in said.rows}
    assert topics["team-pipeline.to-jpg.requests"]["partitions"] == 3
    assert topics["team-flow.state"]["config"]["cleanup.policy"] == "compact"
    assert "team-task.image-convert.v1" in topics
    assert "team-task.image-blur.v1" not in topics


def test_compile_to_strimzi(home: Path) -> None:
    """YAML that Kubernetes reads: topics and users of the cluster that was named."""
    said = in_process("compile", "--strimzi", "--cluster", "prod", home=home, more={"MILLRACE_REPLICATION": "3"})
    resources = list(yaml.safe_load_all(said.out))
    assert {one["kind"] for one in resources} == {"KafkaTopic", "KafkaUser"}
    assert {one["metadata"]["labels"]["strimzi.io/cluster"] for one in resources} == {"prod"}
    assert {one["spec"]["replicas"] for one in resources if one["kind"] == "KafkaTopic"} == {3}


def test_compile_to_asyncapi(home: Path) -> None:
    """A JSON document that names the topics."""
    document = json.loads(in_process("compile", "--asyncapi", home=home).out)
    assert document["asyncapi"] == "3.0.0"
    assert any(channel["address"] == "pipeline.face-blur.requests" for channel in document["channels"].values())


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["compile", "face-blr"], 14, "did you mean 'face-blur'?"),
        (["compile", "--json", "--mermaid"], 2, "one of them"),
        (["compile", "--strimzi", "--authentication", "none"], 2, "scram-sha-512"),
        (["compile", "nowhere.yaml"], 1, "the file cannot be read"),
        (["run", "face-blur", "-i", "photo"], 2, "say NAME=VALUE"),
        (["run", "face-blur", "-i", "photo=@nowhere.jpg"], 2, "No such file"),
        (["run", "face-blur", "--follow", "--wait", "3"], 2, "one of the two"),
        (["run", "face-blur"], 13, "make run"),
        (["data", "fetch", "nothing"], 14, "not in the data catalogue"),
        (["data", "keep", "nothing"], 14, "not in the data catalogue"),
        (["bench", "nothing"], 14, "there is no benchmark"),
        (["test", "-k", "nothing of this name"], 14, "no test has 'nothing of this name'"),
        (["lint"], 2, "name pipeline files"),
        (["import", "nowhere.json"], 1, "the file cannot be read"),
        (["import", "x.json", "--service", "a"], 2, "OLD=NAME"),
        (["import", "x.json", "--service", "a=image-blr"], 14, "did you mean 'image-blur'?"),
        (["lint", "--against", "no-such-revision"], 14, "no contracts at 'no-such-revision'"),
        (["test", "nowhere.yaml"], 1, "the file cannot be read"),
        (["status"], 6, "no stack runs"),
        (["services"], 13, "make run"),
        (["result", "x", "--output", "xml"], 2, "xml"),
        (["events", "x", "--after", "last"], 2, "--after last: the id of an event is a number"),
        (["up", "--home", "/dev/null"], 2, "/dev/null cannot be used"),
        (["up", "--workers", "many"], 2, "1 or more, not 'many'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_reported(arguments: list[str], status: int, message: str, home: Path) -> None:
    """What is wrong and what to do stands on stderr, nothing on stdout, and the status says which kind it is."""
    run = millrace if arguments[0] in ("up", "status") else in_process  # those become another program
    said = run(*arguments, home=home)
    assert (said.status, said.out) == (status, "")
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_setting_that_is_wrong(home: Path) -> None:
    """The key and the value are named."""
    for name in ("services", "up"):
        said = millrace(name, home=home, more={"MILLRACE_HTTP_PORT": "many"})
        assert said.status == 2
        assert said.err == "millrace: MILLRACE_HTTP_PORT: expected a whole number, got 'many'\n"


@pytest.mark.parametrize(
    ("key", "value", "arguments"),
    [
        ("MILLRACE_KAFKA", "127.0.0.1:1", ["apply"]),
        ("MILLRACE_KAFKA", "127.0.0.1:1", ["dead-letters", "list"]),
    ],
    ids=["apply", "dead-letters"],
)
def test_a_part_that_is_unavailable(key: str, value: str, arguments: list[str], home: Path) -> None:
    """Commands that speak to Kafka say where they looked, and how to start it."""
    said = millrace(*arguments, home=home, more={key: value})
    assert said.status == 13
    assert value in said.err
    assert "make run" in said.err
    assert "Traceback" not in said.err


@pytest.fixture
def stopped_home(home: Path) -> Path:
    """A home whose system has stopped: the key is there."""
    home.mkdir()
    (home / "api-key").write_text("0123456789abcdef\n")
    return home


@pytest.mark.parametrize("arguments", [["services"], ["events", "x"]], ids=" ".join)
def test_a_gateway_that_is_unavailable(arguments: list[str], stopped_home: Path) -> None:
    """With a key but without a gateway, the address is named, once and at once."""
    said = millrace(*arguments, home=stopped_home, more={"MILLRACE_HTTP_PORT": "1"})
    assert said.status == 13
    assert "no gateway answers at http://127.0.0.1:1" in said.err
    assert len(said.err.splitlines()) == 1


def test_a_key_that_cannot_be_sent_is_reported(stopped_home: Path) -> None:
    """A key that HTTP has no header for is named: it is no fault of the program."""
    said = millrace("run", "face-blur", "--key", "clé", home=stopped_home)
    assert (said.status, said.out) == (2, "")
    assert "'clé' cannot be sent" in said.err
    assert "Traceback" not in said.err


def test_folders_of_the_same_name_are_left_alone(home: Path, tmp_path: Path) -> None:
    """Commands of other packages are the installation's, wherever one stands."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__init__.py").write_text("raise SystemExit('this is another infra')")
    said = subprocess.run(
        [Path(sys.executable).parent / "millrace", "status"],
        cwd=tmp_path,
        env=environ(home),
        capture_output=True,
        text=True,
    )
    assert (said.returncode, said.stdout) == (6, "")
    assert "no stack runs" in said.stderr


@pytest.mark.parametrize("document", ["--strimzi", "--mermaid", "--asyncapi", "--topics", "--json"])
def test_every_document_is_lines_of_json(document: str, home: Path) -> None:
    """With --output json, whatever `compile` prints is one object a line."""
    rows = in_process("compile", "face-blur", document, "--output", "json", home=home).rows
    assert rows
    assert all(isinstance(row, dict) for row in rows)


def test_contracts_are_in_step(home: Path) -> None:
    """`schemas --check` says nothing when the checked-in contracts are what the services say."""
    said = millrace("schemas", "--check", home=home)
    assert (said.status, said.out) == (0, "")


@pytest.mark.data
def test_data_that_is_there_is_not_fetched_again(home: Path) -> None:
    """A file of the data directory is checked and named; nothing is downloaded."""
    (row,) = millrace("data", "fetch", "faces/images/obama.jpg", "--output", "json", home=home).rows
    assert row["downloaded"] is False
    assert Path(row["path"]).stat().st_size == row["bytes"]
