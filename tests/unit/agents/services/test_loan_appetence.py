"""The shipped model gives what the trained one gave, and nothing of the training is needed for it."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from agents.loan.features import NAMES, Customer, features
from agents.loan.indicators import Indicators, Month
from agents.loan.model import FOLDER, LOAN, Scorer
from agents.services.loan_appetence import Request, Response, loan_appetence
from schemas.errors import Nonconforming
from schemas.validation.conform import conform
from streams.compile.pipeline import compile_pipeline, compile_spec
from streams.compile.single_service import automatic
from streams.datasets import drift
from streams.datasets.manifest import of_catalogue
from streams.errors import PipelineErrors
from streams.models import check
from streams.service.contract import fields_of

CONTRACTS = {"loan-appetence": loan_appetence.contract}
REFERENCE = json.loads((Path(__file__).parent / "loan_reference.json").read_text(encoding="utf-8"))
DEAR, CHEAP = Indicators(1.1, 93.994, -36.4, 4.857, 5191.0), Indicators(-1.8, 93.876, -40.0, 0.668, 5008.7)


def test_the_served_trees_are_the_trained_ones() -> None:
    """Customers of all kinds, some with much unknown, are scored as the trained model scored them."""
    assert REFERENCE["features"] == list(NAMES)
    rows = [[math.nan if value is None else value for value in row] for row in REFERENCE["rows"]]
    assert len(rows) == 64
    assert LOAN.loaded().score(rows) == pytest.approx(REFERENCE["scores"], abs=2e-6)
    assert max(REFERENCE["scores"]) - min(REFERENCE["scores"]) > 0.3


def test_the_economy_moves_the_score() -> None:
    """The same customer is scored higher in a month of cheap money, when many bought, than in one of dear money."""
    someone = Customer(age=41, job="technician", contact="cellular", campaign=1, previous=0, poutcome="nonexistent")
    dear, cheap = LOAN.loaded().score(
        [features(someone, Month(2008, 5), DEAR), features(someone, Month(2008, 5), CHEAP)]
    )
    assert dear < 0.15 < 0.3 < cheap


def test_the_card_belongs_to_the_file_and_to_the_data() -> None:
    """The bundle is whole, names the dataset version that the data catalogue stands for, its licence, and AUC with an interval."""
    card = check(FOLDER).card
    assert card["dataset"] == of_catalogue("bank-marketing").label
    assert "CC BY 4.0" in card["licence"]
    assert "Moro" in card["licence"]
    auc = card["metrics"]["test"]["auc"]
    assert 0.78 < auc["low"] < auc["value"] < auc["high"] < 0.84
    assert min(auc["value"], card["metrics"]["validation"]) >= 0.80
    assert card["metrics"]["test"]["calibration_error"]["value"] < 0.01
    assert card["metrics"]["by_time"]["test"]["auc"]["value"] < auc["value"], "the honest figure by time is there too"


def test_the_card_says_what_drift_is_measured_against() -> None:
    """Its reference can be read, and each feature of it is a field of the input or the output."""
    reference = drift.read(check(FOLDER).card)
    assert reference is not None
    assert {feature.name for feature in reference.features} >= {
        "output.appetence",
        "input.age",
        "output.indicators.euribor3m",
    }
    inputs, outputs = ({feature.name for feature in fields_of(kind)} for kind in (Request, Response))
    assert all(
        feature.path[1] in {"input": inputs, "output": outputs}[feature.path[0]] for feature in reference.features
    )


def test_a_model_for_other_features_is_not_served(tmp_path: Path) -> None:
    """A bundle whose features are not those of the service is refused when it is loaded, not when it scores wrongly."""
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    card = json.loads((tmp_path / "card.json").read_text())
    card["features"] = card["features"][::-1]
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="other features"):
        Scorer(tmp_path)


@pytest.mark.parametrize(
    ("record", "where"),
    [
        ({"duration": 261}, "duration"),
        ({"job": "astronaut"}, "job"),
        ({"age": 7}, "age"),
        ({"month": "may "}, "month"),
        ({"balance": "much"}, "balance"),
    ],
)
def test_a_wrong_input_is_refused_by_name(record: dict[str, object], where: str) -> None:
    """The length of the call is no input, whoever sends it is told; so are words and numbers that cannot be."""
    with pytest.raises(Nonconforming) as caught:
        conform(loan_appetence.contract.input, record)
    assert [problem.where for problem in caught.value.problems] == [where]


def test_a_row_of_either_file_is_a_request() -> None:
    """What the UCI files have of a customer is taken as it stands, without the outcome, `duration` and the indicators."""
    full = {
        "age": 58, "job": "management", "marital": "married", "education": "tertiary", "default": "no", "balance": 2143,
        "housing": "yes", "loan": "no", "contact": "unknown", "day": 5, "month": "may", "campaign": 1, "pdays": -1,
        "previous": 0, "poutcome": "unknown",
    }  # fmt: skip
    additional = {
        "age": 56, "job": "housemaid", "marital": "married", "education": "basic.4y", "default": "no", "housing": "no",
        "loan": "no", "contact": "telephone", "month": "may", "day_of_week": "mon", "campaign": 1, "pdays": 999,
        "previous": 0, "poutcome": "nonexistent",
    }  # fmt: skip
    for row in (full, additional, {}):
        conform(loan_appetence.contract.input, row)


def test_a_raw_row_is_refused_with_the_reason_for_each_name() -> None:
    """A line of UCI's file as a CSV reader gives it: what is no input says why, and a number in quotes what to do."""
    text = "age;job;duration;emp.var.rate;cons.price.idx;cons.conf.idx;euribor3m;nr.employed;y\n56;housemaid;261;1.1;93.994;-36.4;4.857;5191;no"
    contract = loan_appetence.contract
    (row,) = csv.DictReader(text.splitlines(), delimiter=";")
    for schema in (contract.input, compile_spec(automatic(contract), CONTRACTS).input):
        with pytest.raises(Nonconforming) as caught:
            conform(schema, row)
        said = {problem.where: f"{problem.problem}; {problem.hint}" for problem in caught.value.problems}
        assert said.keys() == row.keys() - {"job"}
        assert "known only after it" in said["duration"]
        assert "outcome" in said["y"]
        assert "read from the database" in said["emp.var.rate"]
        assert "write 56 without quotes" in said["age"]


def test_an_author_of_a_pipeline_is_told_the_same() -> None:
    """The compiler says why the service does not take it, and not what it looks like."""
    text = "pipeline: p\nsummary: s\nnodes: {a: {service: loan-appetence, with: {duration: 5}}}\noutput: {x: 1}\n"
    with pytest.raises(PipelineErrors, match="known only after it"):
        compile_pipeline(text, CONTRACTS)


def test_serving_needs_nothing_of_the_training() -> None:
    """Scoring imports neither what trained the trees nor what measured them."""
    code = (
        "import sys; from agents.services.loan_appetence import loan_appetence; from agents.loan.model import LOAN, NAMES; "
        "LOAN.loaded().score([[0.0] * len(NAMES)]); "
        "print([one for one in ('sklearn', 'lightgbm', 'tensorflow', 'mlflow', 'pandas', 'scipy') if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parents[2]
    )
    assert done.stdout.strip() == "[]"
