"""The model card for people, from the same figures as the one for programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training import page

TEMPLATE = Path(__file__).with_name("card.md")

LICENCE = "that of the project; BCCD (Shenggan/BCCD_Dataset, MIT) is to be credited"

_SETS = {
    "test": "BCCD's test originals",
    "test_without_twins": "the same without those whose cell is in a training original too",
    "cross_validated": "BCCD's training originals, each classified by models that had not seen it",
    "augmented": 'augmented copies of the test originals (Kaggle\'s "blood cells")',
    "tecom": "Tecom: another microscope and stain",
}


def markdown(card: Mapping[str, Any]) -> str:
    """Write the whole page."""
    figures, plan = card["metrics"], card["plan"]
    test, crossed = figures["test"], figures["cross_validated"]
    (sha256,) = card["files"].values()
    values = {
        **{name: card[name] for name in ("name", "version", "traits", "dataset", "licence")},
        **{name: plan[name] for name in ("seed", "copies", "folds", "repeats")},
        "sha256": sha256,
        "bytes": f"{card['bytes']:,}",
        "originals": sum(card["learned_from"].values()),
        "learned_from": ", ".join(f"{count} {name}s" for name, count in card["learned_from"].items()),
        "libraries": page.libraries(card),
        "figures": "\n".join(_row(text, figures[name]) for name, text in _SETS.items()),
        "tests": test["of"],
        "test_accuracy": f"{test['balanced_accuracy']:.2f}",
        "expected_accuracy": f"{crossed['balanced_accuracy']:.2f}",
        "recalls": _recalls(card["types"], test),
        "test_confusion": _confusion(card["types"], test),
        "crossed_confusion": _confusion(card["types"], crossed),
        "tried": ", ".join(f"{value:.3f} at {name}" for name, value in crossed["tried"].items()),
        "temperature": f"{card['temperature']:.3f}",
        "difference": f"{figures['served_difference']:.0e}",
        **_boxes(figures),
        **_other_pictures(figures),
    }
    return page.fill(TEMPLATE, values)


def _boxes(figures: Mapping[str, Any]) -> dict[str, object]:
    """Return how well cells are found in the training and the test originals."""
    values: dict[str, object] = {}
    for name, boxes in figures["boxes"].items():
        values |= {f"boxes_{name}": boxes["found"]["of"], f"found_{name}": _share(boxes["found"])}
        values |= {f"{measure}_{name}": f"{boxes[measure]:.2f}" for measure in ("mean", "median", "least")}
    return values


def _other_pictures(figures: Mapping[str, Any]) -> dict[str, object]:
    """Return the results on pictures without a cell, and on another microscope's."""
    return {
        "empty": figures["empty_refused"]["of"],
        "empty_refused": _share(figures["empty_refused"]),
        "tecom_accuracy": f"{figures['tecom']['balanced_accuracy']:.2f}",
        **{f"familiar_{name}": _familiar(figures[name]) for name in ("test", "augmented", "tecom")},
    }


def _row(what: str, figures: Mapping[str, Any]) -> str:
    right = figures["accuracy"]
    cells = (
        what,
        figures["of"],
        f"**{figures['balanced_accuracy']:.3f}**",
        _interval(figures["bootstrap"]),
        _interval(figures["jeffreys"]),
        f"{right['right']} ({right['rate']:.1%})",
        f"{figures['calibration']:.3f}",
    )
    return page.row(cells)


def _recalls(types: list[str], figures: Mapping[str, Any]) -> str:
    rows = [
        (
            kind,
            f"{share['right']} of {share['of']}",
            f"{share['rate']:.1%}",
            f"{max(0, share['low']):.1%} to {share['high']:.1%}",
        )
        for kind, share in zip(types, figures["recall"], strict=True)
    ]
    return page.table(("test originals", "right", "recall", "interval"), rows)


def _confusion(types: list[str], figures: Mapping[str, Any]) -> str:
    head = f"| | {' | '.join(types)} | refused |"
    rows = page.confusion(types, figures["confusion"])
    return "\n".join([head, "| --- " * (len(types) + 2) + "|", *rows])


def _share(share: Mapping[str, Any]) -> str:
    return f"{share['right']} ({share['rate']:.1%}, {max(0, share['low']):.1%} to {share['high']:.1%})"


def _familiar(figures: Mapping[str, Any]) -> str:
    return f"{figures['familiar']['right']} of {figures['familiar']['of']}"


def _interval(ends: list[float]) -> str:
    return f"{ends[0]:.2f} to {ends[1]:.2f}"
