"""A loan model from its order to a bundle: choose, train, calibrate, export, measure as it is served, write the cards."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from agents.loan.features import INPUTS, NAMES
from agents.loan.model import FILE, NAME, Scorer
from streams.datasets.manifest import of_catalogue
from training.loan import measure
from training.loan.card import LICENCE, markdown
from training.loan.data import TEST, Calls, Floats, load, masked, only
from training.loan.export import export, references
from training.loan.fit import Plan, Platt, candidates, fit, held_out, platt, probabilities, shipped, simply
from training.loan.options import DATASET, EPOCHS, trees
from training.loan.reference import reference
from training.part import BadOrder, Made, Order
from training.recipe import finish, versions
from training.report import Report

REFERENCE = Path("tests/unit/agents/services/loan_reference.json")
"""Customers with the scores of the shipped trees."""

LATE = 201001
"""First month of the test set of the split by time; 100 * year + month."""
_ROLLING = 200906
_FEWER = 200
"""Bootstrap rounds for a model that is not shipped."""

_LIBRARIES = ("lightgbm", "onnxmltools", "onnxruntime", "scikit-learn", "numpy")

Say = Callable[[str], None]


def train(order: Order, report: Report) -> Made:
    """Train trees on the calls of a data directory. Raises BadOrder and DataError."""
    wanted = of_catalogue(DATASET).label
    if order.dataset != wanted:
        raise BadOrder(
            f"dataset: {order.dataset} is not {wanted}, the data catalogue's, which is all that this model learns from"
        )
    if order.epochs != EPOCHS:
        raise BadOrder(f"epochs: trees are grown in {EPOCHS}, got {order.epochs}")
    plan, calls = _plan(order.options), load(order.data)
    test, rest = calls.at(calls.share < TEST), calls.at(calls.share >= TEST)
    report.say(f"{len(rest):,} calls to learn from, {len(test):,} held back")
    scores = held_out(rest, shipped(plan))
    losses = _calibrations(scores, rest)
    calibration = platt(scores, rest.bought) if losses["platt"] < losses["none"] else Platt()
    model = fit(plan, rest)
    report.epoch(1, 1, validation=measure.auc(scores, rest.bought))
    return finish(TrainedLoan(order, report.say, plan, calls, rest, test, scores, losses, calibration, model), order)


@dataclass(frozen=True)
class TrainedLoan:
    """Trained trees, see `training.recipe.Trained`."""

    order: Order
    say: Say
    plan: Plan
    calls: Calls
    rest: Calls
    """The calls that were learned from."""
    test: Calls
    """The calls that were held back."""
    scores: Floats
    """Scores of the calls that were learned from, by models that had not seen them."""
    losses: Mapping[str, float]
    """Mean negative log likelihood by kind of calibration."""
    calibration: Platt
    model: lightgbm.LGBMClassifier

    def export(self, folder: Path) -> None:
        """Write the calibrated trees as ONNX."""
        export(self.model, self.calibration, folder / FILE)

    def card(self, folder: Path) -> dict[str, Any]:
        """Return the card without what is measured."""
        return {
            "name": NAME,
            "dataset": self.order.dataset,
            "licence": LICENCE,
            "features": list(NAMES),
            "bytes": (folder / FILE).stat().st_size,
            "plan": asdict(self.plan),
            "calibration": asdict(self.calibration),
            "split": {"train": len(self.rest), "test": len(self.test)},
            "libraries": versions(_LIBRARIES),
        }

    def metrics(self, folder: Path) -> dict[str, Any]:
        """Measure the trees as they are served; the shipped ones are also compared with others and tested by time."""
        plan, rest, test = self.plan, self.rest, self.test
        scorer = Scorer(folder)
        served = np.asarray(scorer.score(test.features.tolist()), np.float64)
        trained = self.calibration(probabilities(self.model, test.features))
        metrics = {
            "validation": measure.auc(self.scores, rest.bought),
            "calibrations": dict(self.losses),
            "served_difference": float(np.abs(served - trained).max()),
            **_random(served, test, plan, measure.ROUNDS if self.order.ship else _FEWER),
            "known": _known(scorer, test, plan),
        }
        if self.order.ship:
            metrics["choice"] = _choice(plan, rest, self.say)
            metrics["without"] = _without(plan, rest, self.scores)
            metrics["by_time"] = _by_time(plan, self.calls, self.say)
        return metrics

    def reference(self, folder: Path) -> dict[str, Any]:
        """Return what drift is measured against."""
        return reference(self.rest, self.calibration(self.scores))

    def params(self) -> dict[str, Any]:
        """Return what decided the result."""
        return {**asdict(self.plan), **asdict(self.calibration), "calls": len(self.rest)}

    def figures(self, card: Mapping[str, Any]) -> dict[str, float]:
        """Return the metrics by flat names."""
        metrics = card["metrics"]
        test = {f"test.{name}": metrics["test"][name]["value"] for name in measure.MEASURES}
        files = {f"test.auc.{name}": metrics[name]["auc"]["value"] for name in ("additional", "full")}
        return {"validation.auc": metrics["validation"], **test, **files}

    def plots(self, card: Mapping[str, Any]) -> dict[str, bytes]:
        """Draw nothing."""
        return {}

    def page(self, card: Mapping[str, Any]) -> str:
        """Write the card for people."""
        return markdown(card)

    def beside(self) -> dict[Path, bytes]:
        """Return customers with their scores, for tests."""
        random = np.random.default_rng((self.plan.seed, 3))
        return {REFERENCE: references(self.model, self.calibration, self.rest, random)}


def _plan(options: Mapping[str, str]) -> Plan:
    count = trees(options)
    return Plan() if count is None else Plan(trees=count)


def _choice(plan: Plan, rest: Calls, say: Say) -> list[dict[str, Any]]:
    """Cross-validate each candidate on the calls to learn from."""
    candidates_measured = []
    for name, make in candidates(plan).items():
        scores = held_out(rest, simply(make))
        candidate = {
            "name": name,
            "auc": measure.auc(scores, rest.bought),
            "log_loss": measure.surprise(scores, rest.bought),
        }
        say(f"{name}: AUC {candidate['auc']:.4f} in cross-validation")
        candidates_measured.append(candidate)
    return candidates_measured


def _calibrations(scores: Floats, rest: Calls) -> dict[str, float]:
    """Return the mean negative log likelihood of held-out scores, uncalibrated and calibrated in two ways on other calls."""
    from sklearn.isotonic import IsotonicRegression

    half = (rest.share * 1e6).astype(np.int64) % 2 == 0
    sigmoid, steps = np.empty_like(scores), np.empty_like(scores)
    for part in (half, ~half):
        sigmoid[part] = platt(scores[~part], rest.bought[~part])(scores[part])
        isotonic = IsotonicRegression(y_min=1e-4, y_max=1 - 1e-4, out_of_bounds="clip")
        steps[part] = isotonic.fit(scores[~part], rest.bought[~part]).predict(scores[part])
    return {
        "none": measure.surprise(scores, rest.bought),
        "platt": measure.surprise(sigmoid, rest.bought),
        "isotonic": measure.surprise(steps, rest.bought),
    }


def _random(served: Floats, test: Calls, plan: Plan, rounds: int) -> dict[str, Any]:
    """Measure the randomly held-back calls."""
    ages = np.digitize(test.age, (25, 35, 45, 55, 65))
    bands = np.array(["under 25", "25 to 34", "35 to 44", "45 to 54", "55 to 64", "65 and over"])
    return {
        "test": measure.figures(served, test.bought, test.groups, plan.seed, rounds),
        "additional": _figures(served, test, ~test.full, plan, rounds),
        "full": _figures(served, test, test.full, plan, rounds),
        "reliability": measure.reliability(served, test.bought),
        "by_month": measure.slices(served, test.bought, test.month),
        "by_age": measure.slices(served, test.bought, np.array([f"{at} {bands[at]}" for at in ages])),
        "by_marital": measure.slices(served, test.bought, test.marital),
    }


def _figures(served: Floats, test: Calls, chosen: NDArray[np.bool_], plan: Plan, rounds: int) -> dict[str, Any]:
    return measure.figures(served[chosen], test.bought[chosen], test.groups[chosen], plan.seed, rounds)


def _known(scorer: Scorer, test: Calls, plan: Plan) -> list[dict[str, Any]]:
    """Measure the same calls with less known of their customers."""
    person = frozenset({"age", "job", "marital", "education", "balance", "housing", "loan", "default"})
    earlier = frozenset({"campaign", "pdays", "previous", "poutcome"})
    cases = {
        "nothing but the month": only(test.features, frozenset()),
        "the person": only(test.features, person),
        "earlier campaigns": only(test.features, earlier),
        "all but the balance": only(test.features, frozenset(INPUTS) - {"balance"}),
        "all but age and marital status": only(test.features, frozenset(INPUTS) - {"age", "marital"}),
        "each input or not, at random": masked(test.features, np.random.default_rng((plan.seed, 2))),
    }
    cases_measured = []
    for name, rows in cases.items():
        scores = np.asarray(scorer.score(rows.tolist()), np.float64)
        auc, error = measure.auc(scores, test.bought), measure.calibration_error(scores, test.bought)
        cases_measured.append({"known": name, "auc": auc, "calibration_error": error})
    return cases_measured


def _without(plan: Plan, rest: Calls, scores: Floats) -> list[dict[str, Any]]:
    """Cross-validate models that learn without some of the inputs."""
    person = {"age", "job", "marital", "education", "balance", "housing", "loan", "default"}
    cases = [{"without": "nothing", "auc": measure.auc(scores, rest.bought)}]
    for name, inputs in {"age and marital status": {"age", "marital"}, "everything about the person": person}.items():
        gone = {feature for name_of_input in inputs for feature in INPUTS[name_of_input]}
        columns = np.array([at for at, feature in enumerate(NAMES) if feature not in gone])
        unseen = held_out(rest, shipped(plan, columns))
        cases.append({"without": name, "auc": measure.auc(unseen, rest.bought)})
    return cases


def _by_time(plan: Plan, calls: Calls, say: Say) -> dict[str, Any]:
    """Measure models that learn only from calls made before those they are tested on."""
    late = calls.month >= LATE
    scores = probabilities(fit(plan, calls.at(~late)), calls.at(late).features)
    after = calls.at(late)
    say(f"by time: AUC {measure.auc(scores, after.bought):.4f} from {LATE} on")
    months = [int(label) for label in np.unique(calls.month) if label >= _ROLLING]
    rolling = np.full(len(calls), np.nan)
    for month in months:
        now = calls.month == month
        rolling[now] = probabilities(fit(plan, calls.at(calls.month < month)), calls.features[now])
    seen = calls.month >= _ROLLING
    return {
        "train": int((~late).sum()),
        "test": measure.figures(scores, after.bought, after.groups, plan.seed),
        "by_month": measure.slices(scores, after.bought, after.month),
        "rolling": measure.figures(rolling[seen], calls.bought[seen], calls.groups[seen], plan.seed),
        "rolling_by_month": measure.slices(rolling[seen], calls.bought[seen], calls.month[seen]),
    }
