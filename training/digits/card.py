"""The model card, for people, from the same figures as the one for programs."""

from collections.abc import Iterable
from typing import Any

from agents.digits.bundle import FILE

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


def markdown(card: dict[str, Any]) -> str:
    """The whole page."""
    plan, figures = card["plan"], card["metrics"]
    rows = "\n".join(_row(_SETS[key], figures["accuracy"][key]) for key in _SETS if key in figures["accuracy"])
    known = [figures["recall"][digit] for digit in card["digits"]]
    recalls = " | ".join(f"{one['rate']:.2%}" for one in known)
    ends = " | ".join(f"{one['low']:.1%} to {one['high']:.1%}" for one in known)
    table = "\n".join(
        f"| **{at}** | " + " | ".join(str(n) if n else "·" for n in row) + " |"
        for at, row in enumerate(figures["confusion"])
    )
    libraries = ", ".join(f"{name} {version}" for name, version in card["libraries"].items())
    sha256 = card["files"][FILE]
    return f"""# {card["name"]}

{card["claims"]}
This page is written when the model is made; `card.json` beside the network says the same to programs.

| | |
| --- | --- |
| serves | `digit-recognition` |
| version | `{card["version"]}` (of its file's SHA-256 `{sha256}`) |
| file | ONNX, {card["bytes"]:,} bytes, {card["parameters"]:,} parameters |
| learned from | dataset version `{card["dataset"]}`: MNIST's training set (LeCun, Cortes, Burges; usually given as CC BY-SA 3.0), and digits that OpenCV draws |
| licence | {card["licence"]} |
| command | {_command(card)}, seed {plan["seed"]}, one thread |
| made with | {libraries} |

## How it was trained
Of MNIST's 60,000 training pictures, a fixed seed chose {card["split"]["train"]:,} to learn from and {card["split"]["validation"]:,} (as many of each digit) to choose by:
the course of the training was watched on them, and the temperature ({card["temperature"]:.3f}) that calibrates the probabilities was fitted on them.
Nothing was chosen by the 10,000 test pictures. Each picture was turned, sheared, stretched, bent, thickened or
thinned at random every time it was shown; {plan["drawn"]} drawn digits went with every {plan["batch"]} of MNIST.

## What it gives
Every accuracy has its 95 % interval (Wilson). A refused picture counts as wrong.

| digits | right | refused | accuracy | interval |
| --- | --- | --- | --- | --- |
{rows}

{_pairs(figures)}Accuracy on the validation set: {figures["accuracy"]["validation"]["rate"]:.2%}. On the test pictures of digits that it knows, expected calibration error {figures["calibration"]:.4f}, mean negative
log likelihood {figures["surprise"]:.4f}. The network that is served, read by OpenCV, differs from the trained one by {figures["served_difference"]:.1e} at most, and in
{figures["served_disagreements"]} of the 10,000 answers.
{_unknown(card)}
| | {_cells(card["digits"])} |
| --- | {_cells("---" for _ in card["digits"])} |
| recall | {recalls} |
| interval | {ends} |

Test set: the row is the digit, the column what it was read as.

| | {_cells(_TEN)} |
| --- | {_cells("---" for _ in _TEN)} |
{table}

## Limits
- One digit, upright. A 6 on its head is a 9. What is no digit is read as one all the same; a low confidence is the only sign.
- Photos were composed, not taken: real ones have ruled paper, folds and fingers, which were not measured. Lines that cross or touch the
  digit become part of it. Digits that touch each other are taken for one.
- MNIST's writers were employees and pupils in the United States around 1990. Other ways to write (a 7 with a bar, a 1 with a long upstroke)
  are rarer in it, and are read worse.
- Not for amounts, ballots or marks without a person who checks: its mistakes look like right answers.
- The same seed gives the same network on the same machine and libraries; another processor may round otherwise.
"""


def _command(card: dict[str, Any]) -> str:
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


def _unknown(card: dict[str, Any]) -> str:
    sure = card["metrics"].get("unknown_but_sure")
    if sure is None:
        return ""
    return (
        f"\nOf the {sure['of']:,} test pictures of digits that it does not know, it read {sure['right']:,} as another digit with a "
        f"probability of 0.9 or more ({sure['rate']:.1%}, {sure['low']:.1%} to {sure['high']:.1%}): its confidence does not tell them apart.\n"
    )


def _cells(values: Iterable[object]) -> str:
    return " | ".join(map(str, values))


def _row(what: str, one: dict[str, Any]) -> str:
    return f"| {what} | {one['right']:,} of {one['of']:,} | {one['refused']} | {one['rate']:.2%} | {one['low']:.2%} to {one['high']:.2%} |"
