"""The model card for people, from the same figures as the one for programs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agents.digits.bundle import FILE
from training import page

TEMPLATE = Path(__file__).with_name("card.md")

LICENCE = "Apache-2.0, as the project; MNIST, which it learned from, is to be credited"

_SETS = {
    "mnist-test": "MNIST's test pictures of the digits that it knows, the network alone",
    "mnist-test-all": "all of MNIST's 10,000 test pictures: those of digits that it does not know are wrong of necessity",
    "mnist-test-files": "the same as files, through the whole service",
    "photos": "1,000 of them as photos: uneven light, shadows, blur, noise, turned, off the middle",
    "scanned": "scikit-learn's 1,797 digits (UCI, other writers, 8 x 8 pixels)",
    "letters": "500 printed digits of a typeface that it was not trained on, bent",
}
_TEN = range(10)


def markdown(card: Mapping[str, Any]) -> str:
    """Write the whole page."""
    plan, figures, digits = card["plan"], card["metrics"], card["digits"]
    recalls = [figures["recall"][digit] for digit in digits]
    values = {
        **{name: card[name] for name in ("name", "claims", "version", "dataset", "licence")},
        **{name: plan[name] for name in ("seed", "drawn", "batch")},
        "sha256": card["files"][FILE],
        "bytes": f"{card['bytes']:,}",
        "parameters": f"{card['parameters']:,}",
        "command": _command(card),
        "libraries": page.libraries(card),
        "train": f"{card['split']['train']:,}",
        "validation": f"{card['split']['validation']:,}",
        "temperature": f"{card['temperature']:.3f}",
        "accuracies": "\n".join(
            _row(text, figures["accuracy"][name]) for name, text in _SETS.items() if name in figures["accuracy"]
        ),
        "pairs": _pairs(figures),
        "validation_accuracy": f"{figures['accuracy']['validation']['rate']:.2%}",
        "calibration_error": f"{figures['calibration']:.4f}",
        "log_likelihood": f"{figures['surprise']:.4f}",
        "difference": f"{figures['served_difference']:.1e}",
        "disagreements": figures["served_disagreements"],
        "unknown": _unknown(card),
        "digits": _cells(digits),
        "digits_line": _cells("---" for _ in digits),
        "recalls": _cells(f"{recall['rate']:.2%}" for recall in recalls),
        "intervals": _cells(f"{recall['low']:.1%} to {recall['high']:.1%}" for recall in recalls),
        "ten": _cells(_TEN),
        "ten_line": _cells("---" for _ in _TEN),
        "confusion": "\n".join(page.confusion(_TEN, figures["confusion"])),
    }
    return page.fill(TEMPLATE, values)


def _command(card: Mapping[str, Any]) -> str:
    epochs = card["plan"]["epochs"]
    if len(card["digits"]) == len(_TEN):
        return f"`make train` (`PART=digits`), {epochs} epochs"
    return f"`digit-train` with the digits {', '.join(map(str, card['digits']))}, {epochs} epochs"


def _pairs(figures: dict[str, Any]) -> str:
    pairs = figures.get("pairs_refused")
    if pairs is None:
        return ""
    return (
        f"Of {pairs['of']} photos of two digits beside each other, {pairs['right']} were refused "
        f"({pairs['rate']:.1%}, {pairs['low']:.1%} to {pairs['high']:.1%}).\n\n"
    )


def _unknown(card: Mapping[str, Any]) -> str:
    sure = card["metrics"].get("unknown_but_sure")
    if sure is None:
        return ""
    return (
        f"\nOf the {sure['of']:,} test pictures of digits that it does not know, it read {sure['right']:,} as another digit with a "
        f"probability of 0.9 or more ({sure['rate']:.1%}, {sure['low']:.1%} to {sure['high']:.1%}): its confidence does not tell them apart.\n"
    )


def _cells(values: Iterable[object]) -> str:
    return " | ".join(map(str, values))


def _row(what: str, share: dict[str, Any]) -> str:
    cells = (
        what,
        f"{share['right']:,} of {share['of']:,}",
        share["refused"],
        f"{share['rate']:.2%}",
        f"{share['low']:.2%} to {share['high']:.2%}",
    )
    return page.row(cells)
