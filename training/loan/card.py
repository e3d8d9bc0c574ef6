"""The model card for people, from the same figures as the one for programs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.page import fill, libraries, table

TEMPLATE = Path(__file__).with_name("card.md")

LICENCE = "CC BY 4.0: Moro, Cortez and Rita, 2014, doi:10.1016/j.dss.2014.03.001"

_SETS = {
    "test": "all",
    "additional": "rows of `bank-additional` (no balance, no day; with day of week)",
    "full": "rows of `bank-full` (with balance and day)",
}


def markdown(card: Mapping[str, Any]) -> str:
    """Write the whole page. What only shipped models are measured on is left out for others."""
    plan, figures = card["plan"], card["metrics"]
    values = {
        **{name: card[name] for name in ("name", "version", "dataset", "licence")},
        **{name: plan[name] for name in ("trees", "leaves", "seed")},
        "bytes": f"{card['bytes']:,}",
        "features": len(card["features"]),
        "libraries": libraries(card),
        "train": f"{card['split']['train']:,}",
        "test": f"{card['split']['test']:,}",
        "choice": _choice(figures["choice"]) if "choice" in figures else "",
        **{name: f"{loss:.5f}" for name, loss in figures["calibrations"].items()},
        "calibrated": _calibrated(card["calibration"]),
        "difference": f"{figures['served_difference']:.0e}",
        "validation": f"{figures['validation']:.4f}",
        "figures": _figures(figures),
        "reliability": _reliability(figures["reliability"]),
        "by_time": _by_time(figures["by_time"]) if "by_time" in figures else "",
        "months": _slices("month", figures["by_month"]),
        "known": _known(figures["known"]),
        "without": _without(figures["without"]) if "without" in figures else "",
        "ages": _slices("age", [{**bracket, "label": bracket["label"][2:]} for bracket in figures["by_age"]]),
        "marital": _slices("marital status", figures["by_marital"]),
    }
    return fill(TEMPLATE, values)


def _choice(candidates: Sequence[dict[str, Any]]) -> str:
    rows = [(model["name"], f"{model['auc']:.4f}", f"{model['log_loss']:.4f}") for model in candidates]
    return (
        table(("candidate, whole rows only", "AUC", "log loss"), rows)
        + "\n\nThe two gradient boostings are as good as each other within what chance explains. LightGBM's trees are shipped, since "
        "they become ONNX without a difference; see docs/decisions.\n\n"
    )


def _calibrated(calibration: dict[str, float]) -> str:
    if calibration == {"slope": 1.0, "shift": 0.0}:
        return "Neither helps: the scores are served as they are."
    return f"Platt's is in the leaves: slope {calibration['slope']:.3f}, shift {calibration['shift']:.3f}."


def _figures(figures: dict[str, Any]) -> str:
    names = ("auc", "brier", "log_loss", "calibration_error")
    rows = [
        (
            text,
            f"{figures[name]['calls']:,}",
            f"{figures[name]['bought']:,}",
            *(_figure(figures[name][measure]) for measure in names),
        )
        for name, text in _SETS.items()
    ]
    return table(("calls", "number", "yes", "AUC", "Brier", "log loss", "calibration error"), rows)


def _reliability(groups: Sequence[dict[str, Any]]) -> str:
    rows = [(f"{group['calls']:,}", f"{group['scored']:.3f}", f"{group['bought']:.3f}") for group in groups]
    return table(("ten groups by score", "mean score", "share that bought"), rows)


def _known(cases: Sequence[dict[str, Any]]) -> str:
    rows = [(case["known"], f"{case['auc']:.4f}", f"{case['calibration_error']:.4f}") for case in cases]
    return table(("known", "AUC", "calibration error"), rows)


def _without(cases: Sequence[dict[str, Any]]) -> str:
    rows = [(case["without"], f"{case['auc']:.4f}") for case in cases]
    return table(("learned without", "AUC, cross-validation"), rows) + "\n\n"


def _by_time(figures: dict[str, Any]) -> str:
    head = ("tested on", "calls", "AUC", "Brier", "calibration error")
    tests = {
        f"2010, learned from the {figures['train']:,} calls before": figures["test"],
        "each month from June 2009 on, trained again on all calls before it": figures["rolling"],
    }
    rows = [
        (text, f"{test['calls']:,}", *(_figure(test[name]) for name in ("auc", "brier", "calibration_error")))
        for text, test in tests.items()
    ]
    return fill(TEMPLATE.with_name("card_by_time.md"), {"table": table(head, rows)})


def _slices(what: str, slices: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            _label(part["label"]),
            f"{part['calls']:,}",
            f"{part['scored']:.3f}",
            f"{part['bought']:.3f}",
            "" if part["auc"] is None else f"{part['auc']:.3f}",
        )
        for part in slices
    ]
    return table((what, "calls", "mean score", "share that bought", "AUC within"), rows)


def _label(label: str) -> str:
    """Write a month, 201005, as 2010-05; leave other labels as they are."""
    return f"{label[:4]}-{label[4:]}" if len(label) == 6 and label.isdigit() else label


def _figure(figure: dict[str, float]) -> str:
    return f"{figure['value']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})"
