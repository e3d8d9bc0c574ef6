"""Learning: the candidates, the one that is chosen, and its calibration. Nothing here sees the test set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, SplineTransformer

from agents.loan.features import NAMES
from training.loan.data import Calls, Floats, masked

FOLDS = 5


@dataclass(frozen=True)
class Plan:
    """What the training is fixed by."""

    seed: int = 5
    trees: int = 400
    leaves: int = 31
    rate: float = 0.03
    least: int = 100
    """Calls in a leaf at least."""
    columns: float = 0.3
    """The share of the features that each tree may look at."""
    rows: float = 0.7
    """The share of the calls that each tree sees."""
    ridge: float = 10.0
    unknown: float = 0.5
    """The weight of a second copy of each call, of whose customer less is known; a whole one counts 1."""


def trees(plan: Plan) -> lightgbm.LGBMClassifier:
    """Return the model that is shipped, not yet trained."""
    return lightgbm.LGBMClassifier(
        n_estimators=plan.trees,
        num_leaves=plan.leaves,
        learning_rate=plan.rate,
        min_child_samples=plan.least,
        colsample_bytree=plan.columns,
        subsample=plan.rows,
        subsample_freq=1,
        reg_lambda=plan.ridge,
        random_state=plan.seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )


def candidates(plan: Plan) -> Mapping[str, Callable[[], Any]]:
    """Return constructors of the models that were compared, by name."""
    numbers = ("age", "balance", "campaign", "pdays", "previous", *NAMES[-5:])
    curved = [NAMES.index(name) for name in numbers]
    others = [at for at in range(len(NAMES)) if at not in curved]
    curves = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        QuantileTransformer(n_quantiles=200, random_state=plan.seed),
        SplineTransformer(n_knots=6, degree=2),
    )
    words = make_pipeline(SimpleImputer(strategy="constant", fill_value=-1), OneHotEncoder(handle_unknown="ignore"))
    return {
        "logistic regression on splines": lambda: make_pipeline(
            make_column_transformer((curves, curved), (words, others)), LogisticRegression(C=0.3, max_iter=300)
        ),
        "scikit-learn, histogram gradient boosting": lambda: HistGradientBoostingClassifier(
            learning_rate=plan.rate,
            max_iter=plan.trees,
            max_leaf_nodes=plan.leaves,
            min_samples_leaf=plan.least,
            l2_regularization=plan.ridge,
            max_features=plan.columns,
            early_stopping=False,
            random_state=plan.seed,
        ),
        "LightGBM": lambda: trees(plan),
    }


def fit(plan: Plan, calls: Calls, columns: NDArray[np.int64] | None = None) -> lightgbm.LGBMClassifier:
    """Train the trees on these calls and on a copy of each with less known; on some columns only, unless `columns` is None."""
    poorer = masked(calls.features, np.random.default_rng(plan.seed))
    rows, bought = np.concatenate([calls.features, poorer]), np.concatenate([calls.bought, calls.bought])
    weights = np.concatenate([np.ones(len(calls)), np.full(len(calls), plan.unknown)])
    return trees(plan).fit(rows if columns is None else rows[:, columns], bought, sample_weight=weights)


def held_out(calls: Calls, learned: Callable[[Calls], Callable[[Calls], Floats]]) -> Floats:
    """Score each call by a model trained without it and its twins, in FOLDS folds."""
    part = folds(calls)
    scores = np.full(len(calls), np.nan)
    for fold in range(FOLDS):
        scores[part == fold] = learned(calls.at(part != fold))(calls.at(part == fold))
    return scores


def folds(calls: Calls) -> NDArray[np.int64]:
    """Return the fold in which each call is held out; possible twins share one."""
    low = calls.share.min()
    place = (calls.share - low) / (calls.share.max() - low)
    return np.asarray(np.minimum(place * FOLDS, FOLDS - 1), np.int64)


def simply(make: Callable[[], Any]) -> Callable[[Calls], Callable[[Calls], Floats]]:
    """How a candidate learns and scores."""

    def learned(calls: Calls) -> Callable[[Calls], Floats]:
        model = make().fit(calls.features, calls.bought)
        return lambda others: probabilities(model, others.features)

    return learned


def shipped(plan: Plan, columns: NDArray[np.int64] | None = None) -> Callable[[Calls], Callable[[Calls], Floats]]:
    """How what is shipped learns and scores."""

    def learned(calls: Calls) -> Callable[[Calls], Floats]:
        model = fit(plan, calls, columns)
        return lambda others: probabilities(model, others.features if columns is None else others.features[:, columns])

    return learned


def probabilities(model: Any, rows: NDArray[np.float32]) -> Floats:
    """Of a yes, by a trained model."""
    return np.asarray(model.predict_proba(rows)[:, 1], np.float64)


@dataclass(frozen=True)
class Platt:
    """What turns a score into a probability: the logit times `slope` plus `shift`."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, scores: Floats) -> Floats:
        """Probabilities of scores."""
        return np.asarray(1 / (1 + np.exp(-(self.slope * logit(scores) + self.shift))))


def platt(scores: Floats, bought: NDArray[np.int64]) -> Platt:
    """Platt's calibration of scores that were held out."""
    model = LogisticRegression(C=1e6).fit(logit(scores)[:, None], bought)
    return Platt(float(model.coef_[0, 0]), float(model.intercept_[0]))


def logit(scores: Floats) -> Floats:
    """Of probabilities, kept within what a float can say."""
    kept = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(kept / (1 - kept)))
