"""The model card, for people, from the same figures as the one for programs."""

from typing import Any

from agents.digits.models import FILE

_SETS = {
    "mnist-test": "MNIST's 10,000 test pictures, the network alone",
    "mnist-test-files": "the same as files, through the whole service",
    "photos": "1,000 of them as photos: uneven light, shadows, blur, noise, turned, off the middle",
    "scanned": "scikit-learn's 1,797 digits (UCI, other writers, 8 x 8 pixels)",
    "letters": "500 printed digits of a typeface that it was not trained on, bent",
}


def markdown(card: dict[str, Any]) -> str:
    """The whole page."""
    plan, figures = card["plan"], card["metrics"]
    rows = "\n".join(_row(_SETS[key], figures["accuracy"][key]) for key in _SETS)
    pairs = figures["pairs_refused"]
    recalls = " | ".join(f"{one['rate']:.2%}" for one in figures["recall"])
    ends = " | ".join(f"{one['low']:.1%} to {one['high']:.1%}" for one in figures["recall"])
    table = "\n".join(
        f"| **{at}** | " + " | ".join(str(n) if n else "·" for n in row) + " |"
        for at, row in enumerate(figures["confusion"])
    )
    libraries = ", ".join(f"{name} {version}" for name, version in card["libraries"].items())
    return f"""# {card["name"]}

Written by `make train`; the same for programs lies beside the network in `agents/digits/model`.

| | |
| --- | --- |
| serves | `digit-recognition` |
| version | `{card["version"]}` (of its file's SHA-256 `{card["files"][FILE]}`) |
| file | ONNX, {card["bytes"]:,} bytes, {card["parameters"]:,} parameters |
| learned from | dataset version `{card["dataset"]}`: MNIST's training set (LeCun, Cortes, Burges; usually given as CC BY-SA 3.0), and digits that OpenCV draws |
| licence | that of the project; MNIST is to be credited |
| command | `make train` (`PART=digits`), {plan["epochs"]} epochs, seed {plan["seed"]}, one thread |
| made with | {libraries} |

## How it was trained
The 60,000 training pictures were split by a fixed seed into {card["split"]["train"]:,} to learn from and {card["split"]["validation"]:,} (as many of each digit) to choose by:
the course of the training was watched on them, and the temperature ({card["temperature"]:.3f}) that calibrates the probabilities was fitted on them.
Nothing was chosen by the 10,000 test pictures. Each picture was turned, sheared, stretched, bent, thickened or
thinned at random every time it was shown; {plan["drawn"]} drawn digits went with every {plan["batch"]} of MNIST.

## What it gives
Every accuracy has its 95 % interval (Wilson). A refused picture counts as wrong.

| digits | right | refused | accuracy | interval |
| --- | --- | --- | --- | --- |
{rows}

Of {pairs["of"]} photos of two digits beside each other, {pairs["right"]} were refused ({pairs["rate"]:.1%}, {pairs["low"]:.1%} to {pairs["high"]:.1%}).

Accuracy on the validation set: {figures["accuracy"]["validation"]["rate"]:.2%}. On the test set, expected calibration error {figures["calibration"]:.4f}, mean negative
log likelihood {figures["surprise"]:.4f}. The network that is served, read by OpenCV, differs from the trained one by {figures["served_difference"]:.1e} at most, and in
{figures["served_disagreements"]} of the 10,000 answers.

| | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| recall | {recalls} |
| interval | {ends} |

Test set: the row is the digit, the column what it was read as.

| | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{table}

## Limits
- One digit, upright. A 6 on its head is a 9. What is no digit is read as one all the same; a low confidence is the only sign.
- The photos above are composed, not taken: real ones have ruled paper, folds and fingers, which were not measured. Lines that cross or touch the
  digit become part of it. Digits that touch each other are taken for one.
- MNIST's writers were employees and pupils in the United States around 1990. Other ways to write (a 7 with a bar, a 1 with a long upstroke)
  are rarer in it, and are read worse.
- Not for amounts, ballots or marks without a person who checks: its mistakes look like right answers.
- The same seed gives the same network on the same machine and libraries; another processor may round otherwise.
"""


def _row(what: str, one: dict[str, Any]) -> str:
    return f"| {what} | {one['right']:,} of {one['of']:,} | {one['refused']} | {one['rate']:.2%} | {one['low']:.2%} to {one['high']:.2%} |"
