"""Loan appetence as a user has it: indicators by the command line, scores over HTTP and Kafka, read live from PostgreSQL."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.command import CommandResult, millrace
from tests.acceptance.kafka_client import KafkaClient
from tests.acceptance.system import System, problem
from tests.integration.support.eventually import eventually

TABLE = """year;month;emp.var.rate;cons.price.idx;cons.conf.idx;nr.employed;euribor3m
1999;5;1.1;93.994;-36.4;5191;4.857
1999;6;-1.8;93.876;-40;5008.7;0.668
"""
"""Months of a year that no data set has, so that nobody's own are changed."""
SOMEONE = {
    "age": 41,
    "job": "technician",
    "education": "tertiary",
    "balance": 1250,
    "contact": "cellular",
    "campaign": 1,
}
GOOD = (
    "--emp-var-rate",
    "1.1",
    "--cons-price-idx",
    "93.994",
    "--cons-conf-idx",
    "-36.4",
    "--euribor3m",
    "4.857",
    "--nr-employed",
    "5191",
)


@pytest.fixture
def indicators(system: System, tmp_path: Path) -> Any:
    """`millrace indicators`, after a table of two months was loaded."""

    def command(*arguments: str) -> CommandResult:
        return millrace("indicators", *arguments, home=system.stack.home)

    file = tmp_path / "months.csv"
    file.write_text(TABLE)
    loaded = command("load", str(file))
    assert loaded.status == 0, loaded.err
    return command


def score(system: System, given: dict[str, Any], **headers: str) -> httpx.Response:
    """Asks and waits for the answer, as `curl -H 'Prefer: wait=30'` does."""
    with system.http as http:
        return http.post("/services/loan-appetence/runs", json=given, headers={"prefer": "wait=30", **headers})


def test_indicators_are_loaded_as_often_as_one_likes(indicators: Any, tmp_path: Path) -> None:
    """Loading the same file again changes nothing; a file that is none is refused with its place, and changes nothing."""
    file = tmp_path / "months.csv"
    (again,) = indicators("load", str(file), "--output", "json").rows
    assert again == {"months": 2, "changed": 0, "first": "1999-05", "last": "1999-06"}
    listed = {one["month"]: one for one in indicators("show", "--output", "json").rows}
    assert listed["1999-06"]["nr_employed"] == 5008.7
    assert "1999-05" in indicators("show").out
    file.write_text(TABLE.replace("0.668", "little"))
    refused = indicators("load", str(file))
    assert (refused.status, refused.out) == (1, "")
    assert "months.csv:3" in refused.err
    assert indicators("set", "1999-13").status == 1
    nothing = indicators("set", "1999-06")
    assert (nothing.status, nothing.out) == (2, "")
    assert "nothing to change: give --emp-var-rate, " in nothing.err
    unknown = indicators("set", "1998-01", "--euribor3m", "1")
    assert unknown.status == 14
    assert "--nr-employed" in unknown.err


def test_changing_the_row_changes_the_next_score(system: System, indicators: Any) -> None:
    """Two calls with the same customer differ by the row alone; the answer says what it was, and which model scored."""
    before = score(system, {**SOMEONE, "at": "1999-06"}).json()["output"]
    assert before["indicators"]["euribor3m"] == 0.668
    changed = indicators("set", "1999-06", *GOOD)
    assert changed.status == 0, changed.err
    after = score(system, {**SOMEONE, "at": "1999-06"}).json()["output"]
    assert after["indicators"]["euribor3m"] == 4.857
    assert 0 <= after["appetence"] < before["appetence"] / 2 <= 0.5
    with system.http as http:
        said = http.get("/services/loan-appetence").json()
    assert after["model_version"] == said["model_version"]


def test_a_month_by_its_name_and_year_or_a_date(system: System, indicators: Any) -> None:
    """`month` and `year`, `at` as a month, and `at` as a date all mean the same row."""
    asked = ({"month": "may", "year": 1999}, {"at": "1999-05"}, {"at": "1999-05-17"})
    found = [score(system, {**SOMEONE, **one}).json()["output"]["indicators"] for one in asked]
    assert found[0] == found[1] == found[2]
    assert (found[0]["year"], found[0]["month"]) == (1999, 5)


def test_a_stranger_is_scored_at_once(system: System) -> None:
    """Without a command before: the worker has put in the months that come with the project."""
    output = score(system, {**SOMEONE, "at": "2008-05"}).json()["output"]
    assert output["indicators"]["nr_employed"] == 5191
    assert 0 <= output["appetence"] <= 1


def test_duration_is_refused(system: System) -> None:
    """The length of a call is no input: the request is refused as a whole, with the name of what is wrong."""
    document = problem(score(system, {**SOMEONE, "duration": 261}), 422)
    assert [one["where"] for one in document["errors"]] == ["duration"]


def test_a_month_that_is_not_there(system: System, indicators: Any) -> None:
    """The run fails at once, and says which months there are and how to add one."""
    run = system.submit("loan-appetence", kind="services", json={**SOMEONE, "at": "1998-01"})
    received = system.follow(run)
    assert received[-1].name == "run.failed"
    assert "no indicators of 1998-01" in str(received[-1].data)
    assert "millrace indicators" in str(received[-1].data)
    assert not [one for one in received if one.name == "node.retrying"]


def test_a_line_of_json_is_scored(system: System, indicators: Any) -> None:
    """Whoever can write a line to a topic gets the score on .results, typed by its schema."""
    kafka_client = KafkaClient(system.settings)
    try:
        topic = "pipeline.loan-appetence.requests"
        kafka_client.pipe(topic, json.dumps({**SOMEONE, "age": 77, "at": "1999-05"}))
        wanted = {"year": 1999, "month": 5}

        def is_it(one: dict[str, Any]) -> bool:
            output = one["output"]
            return bool(output) and output["indicators"].items() >= wanted.items()

        answer = kafka_client.await_record("pipeline.loan-appetence.results", is_it)
        assert answer["status"] == "finished"
        assert 0 <= answer["output"]["appetence"] <= 1
    finally:
        kafka_client.close()


@pytest.mark.slow
@pytest.mark.alone
def test_a_database_that_was_killed_is_waited_for(system: System, indicators: Any) -> None:
    """A score that is asked for while PostgreSQL is killed and comes back is given at its first attempt."""
    system.stack.restart("postgres", kill=True)
    run = system.submit("loan-appetence", kind="services", json={**SOMEONE, "at": "1999-05"})
    received = system.follow(run)
    assert received[-1].name == "run.finished"
    assert not [one for one in received if one.name == "node.retrying"]

    def recorded() -> bool:  # the history of the others is back too, before their tests go on
        with system.http as http:
            return bool(http.get(f"/runs/{run}").json().get("status") == "finished")

    eventually(recorded, 60)
