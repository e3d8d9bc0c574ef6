"""The model card, for people, from the same figures as the one for programs."""

from collections.abc import Sequence
from typing import Any

LICENCE = "CC BY 4.0: Moro, Cortez and Rita, 2014, doi:10.1016/j.dss.2014.03.001"

_SETS = {
    "test": "all",
    "additional": "rows of `bank-additional` (no balance, no day; with day of week)",
    "full": "rows of `bank-full` (with balance and day)",
}


def markdown(card: dict[str, Any]) -> str:
    """The whole page."""
    plan, figures = card["plan"], card["metrics"]
    libraries = ", ".join(f"{name} {version}" for name, version in card["libraries"].items())
    steps = figures["calibrations"]
    parts = [
        f"""# {card["name"]}

Written by `make train`; the same for programs lies beside the trees in `agents/loan/model`.

| | |
| --- | --- |
| serves | `loan-appetence` |
| version | `{card["version"]}` |
| file | ONNX, {card["bytes"]:,} bytes, {plan["trees"]} trees of at most {plan["leaves"]} leaves, {len(card["features"])} features |
| learned from | dataset version `{card["dataset"]}`: UCI Bank Marketing, both files |
| licence of the data | {card["licence"]} |
| command | `make train` (`PART=loan`), seed {plan["seed"]}, one thread |
| made with | {libraries} |

Cite: S. Moro, P. Cortez and P. Rita. A Data-Driven Approach to Predict the Success of Bank Telemarketing. Decision Support Systems,
Elsevier, 62:22-31, June 2014. The data is by them, licensed CC BY 4.0; this model and its figures are derived from it.

## The data
Two files tell of calls that a Portuguese bank made from May 2008 to November 2010 to sell term deposits. `bank-additional` has socio-economic
indicators and no balance, `bank-full` has the balance and no indicators. Year and month were deduced from the order of the
rows, and the month's indicators joined to both; `euribor3m` is the middle of the month's days, since a table by month is what the service
reads. January and February of 2009 and 2010 are in `bank-full` only and have no indicators.

**The files overlap.** Within a month, long runs of rows of both agree in duration, number of contacts and outcome, in the same order: they are the same
calls. What they say of the customers agrees no better than by chance, so the files cannot be joined by person, and their plain
union would hold most calls twice, with the same outcome on both sides of a split. Calls of the same month, duration and number of
contacts are therefore one group, and a group is on one side of every split here. `duration` serves for that only; it is no
feature, since it is known only when the outcome is.

## How it was made
{card["split"]["train"]:,} calls were learned from, {card["split"]["test"]:,} held back: a group's side is decided by a hash of its month, duration and contacts.
Everything was chosen by five-fold cross-validation on the former. Each call was shown twice, the second time (at half the weight)
with some inputs unknown, so that a request with few of them is scored sensibly.""",
    ]
    if "choice" in figures:
        candidates = [(one["name"], f"{one['auc']:.4f}", f"{one['log_loss']:.4f}") for one in figures["choice"]]
        parts.append(_table(("candidate, whole rows only", "AUC", "log loss"), candidates))
        parts.append(
            "The two gradient boostings are as good as each other within what chance explains. LightGBM's trees are shipped, since they become ONNX "
            "without a difference; see docs/decisions."
        )
    parts.append(
        f"Calibration of the held-out scores, as mean negative log likelihood: as they are {steps['none']:.5f}, Platt {steps['platt']:.5f}, isotonic "
        f"{steps['isotonic']:.5f} (each fitted on half of the calls and tried on the other). "
        + _calibrated(card["calibration"])
    )
    parts.append(
        "## What it gives\n"
        "On the calls held back, with 95 % intervals (bootstrap over groups), by the trees as they are served. "
        f"They differ from the trained ones by {figures['served_difference']:.0e} at most. In cross-validation on the calls to learn from, "
        f"AUC is **{figures['validation']:.4f}**: of one draw of calls to hold back and of five, the latter says more of what to expect."
    )
    names = ("auc", "brier", "log_loss", "calibration_error")
    rows = [
        (
            what,
            f"{figures[key]['calls']:,}",
            f"{figures[key]['bought']:,}",
            *(_figure(figures[key][name]) for name in names),
        )
        for key, what in _SETS.items()
    ]
    parts.append(_table(("calls", "number", "yes", "AUC", "Brier", "log loss", "calibration error"), rows))
    groups = [(f"{one['calls']:,}", f"{one['scored']:.3f}", f"{one['bought']:.3f}") for one in figures["reliability"]]
    parts.append(_table(("ten groups by score", "mean score", "share that bought"), groups))
    if "by_time" in figures:
        parts.append(_by_time(figures["by_time"]))
    parts.append(
        "By month, on the calls held back. Within one month the indicators are the same for all, and tell nothing."
    )
    parts.append(_slices("month", figures["by_month"]))
    parts.append("With less known of the customer, on the same calls:")
    known = [(one["known"], f"{one['auc']:.4f}", f"{one['calibration_error']:.4f}") for one in figures["known"]]
    parts.append(_table(("known", "AUC", "calibration error"), known))
    parts.append(_fairness(figures))
    parts.append(_LIMITS)
    return "\n\n".join(parts) + "\n"


def _calibrated(calibration: dict[str, float]) -> str:
    if calibration == {"slope": 1.0, "shift": 0.0}:
        return "Neither helps: the scores are served as they are."
    return f"Platt's is in the leaves: slope {calibration['slope']:.3f}, shift {calibration['shift']:.3f}."


def _by_time(found: dict[str, Any]) -> str:
    late, rolling = found["test"], found["rolling"]
    head = ("tested on", "calls", "AUC", "Brier", "calibration error")
    rows = [
        (what, f"{one['calls']:,}", _figure(one["auc"]), _figure(one["brier"]), _figure(one["calibration_error"]))
        for what, one in (
            (f"2010, learned from the {found['train']:,} calls before", late),
            ("each month from June 2009 on, learned anew from all before it", rolling),
        )
    ]
    return (
        "### By time\n"
        "The figures above are for calls of months that the model has seen other calls of: they say how well it fills in, not how well it foretells. When "
        "it may learn only from what came before, as in use, it is much worse, above all in how high its scores are: the months that come after are like "
        "none before, buyers rise from one in twenty to one in two, and who is called changes too.\n\n"
        + _table(head, rows)
    )


def _fairness(figures: dict[str, Any]) -> str:
    parts = [
        (
            "## Age and marital status\n"
            "Both are inputs, since the data has them. Whether they may be used to choose whom to call, and what for, is a question of law and of decency "
            "that this card cannot answer: in many places neither may decide on credit. They can be left out of a request."
        )
    ]
    if "without" in figures:
        rows = [(one["without"], f"{one['auc']:.4f}") for one in figures["without"]]
        parts.append(_table(("learned without", "AUC, cross-validation"), rows))
    parts.append(_slices("age", [{**one, "label": one["label"][2:]} for one in figures["by_age"]]))
    parts.append(_slices("marital status", figures["by_marital"]))
    return "\n\n".join(parts)


_LIMITS = """## Limits
- One bank, one country, one product, a financial crisis, 2008 to 2010. Elsewhere and today it is a demonstration, not a forecast: measure it on calls of
  your own, and train anew, before anything depends on it.
- What it knows of the economy is 26 months. Indicators outside their range count like the nearest that it has seen; in between it jumps from one
  month's level to another's.
- It says who said yes among those who were called. Whom the bank chose to call is in the data and cannot be taken out of it.
- For ordering whom to call first. Not for granting, refusing or pricing credit: it has never seen whether anybody paid back.
- What the two files say of the same calls' customers does not agree; one of them, or both, was changed before it was published. That bounds what can be
  learned of persons, and what the figures say of them.
- The same seed gives the same trees on the same machine and libraries; another processor may round otherwise."""


def _slices(what: str, rows: Sequence[dict[str, Any]]) -> str:
    cells = [
        (
            one["label"]
            if len(one["label"]) != 6 or not one["label"].isdigit()
            else f"{one['label'][:4]}-{one['label'][4:]}",
            f"{one['calls']:,}",
            f"{one['scored']:.3f}",
            f"{one['bought']:.3f}",
            "" if one["auc"] is None else f"{one['auc']:.3f}",
        )
        for one in rows
    ]
    return _table((what, "calls", "mean score", "share that bought", "AUC within"), cells)


def _figure(one: dict[str, float]) -> str:
    return f"{one['value']:.4f} ({one['low']:.4f} to {one['high']:.4f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
