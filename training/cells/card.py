"""The model card, for people, from the same figures as the one for programs."""

from collections.abc import Mapping
from typing import Any

LICENCE = "that of the project; BCCD (Shenggan/BCCD_Dataset, MIT) is to be credited"

_SETS = {
    "test": "BCCD's test originals",
    "test_without_twins": "the same without those whose cell is in a training original too",
    "cross_validated": "BCCD's training originals, each told by models that had not seen it",
    "augmented": 'augmented copies of the test originals (Kaggle\'s "blood cells")',
    "tecom": "Tecom: another microscope and stain",
}


def markdown(card: Mapping[str, Any]) -> str:
    """The whole page."""
    figures, plan = card["metrics"], card["plan"]
    test, crossed, tecom = figures["test"], figures["cross_validated"], figures["tecom"]
    rows = "\n".join(_row(text, figures[name]) for name, text in _SETS.items())
    learned = ", ".join(f"{count} {name}s" for name, count in card["learned_from"].items())
    libraries = ", ".join(f"{name} {version}" for name, version in card["libraries"].items())
    (version,) = card["files"].values()
    tried = ", ".join(f"{value:.3f} at {name}" for name, value in crossed["tried"].items())
    train, boxes = (figures["boxes"][name] for name in ("train", "test"))
    return f"""# {card["name"]}

**Not for medical use.** Written by `make train`; the same for programs lies beside the model in `agents/cells/model`.

| | |
| --- | --- |
| serves | `cell-classify`, on what `cell-preprocess` makes of a picture; the pipeline `classify-cell` does both |
| version | `{card["version"]}` (of its file's SHA-256 `{version}`) |
| file | JSON, {card["bytes"]:,} bytes: a logistic regression over {card["traits"]} named traits of the cell |
| learned from | dataset version `{card["dataset"]}`: {sum(card["learned_from"].values())} training originals of BCCD ({learned}) |
| licence | {card["licence"]} |
| command | `make train` (`PART=cells`), seed {plan["seed"]}, one thread |
| made with | {libraries} |

## What it gives
Every figure is of whole picture files through both services, as they are served. A refused picture counts as wrong. Intervals are at 95 %: of the balanced
accuracy by bootstrap (10,000 draws within each type) and, wider, from Jeffreys' posterior of each recall, since a type of which all three pictures are right never varies
in a bootstrap; of a share Wilson's. ECE: expected calibration error, 10 bins.

The augmented copies show the cells of 50 originals over and over, so that their intervals are too narrow.

| pictures | of | balanced accuracy | bootstrap | Jeffreys | right | ECE |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

The aim was 0.90 on the test originals. They are {test["of"]} pictures, with three monocytes: the {test["balanced_accuracy"]:.2f} is a lucky one, and the cross-validated
{crossed["balanced_accuracy"]:.2f} is what to expect of new pictures of this kind.

{_recalls(card["types"], test)}

Test originals: the row is what the list says, the column what the cell was told to be.

{_confusion(card["types"], test)}

Cross-validated (the first of {plan["repeats"]} repeats):

{_confusion(card["types"], crossed)}

**Finding the cell** (`cell-preprocess`), against the boxes that people drew: of {train["found"]["of"]} training originals {_share(train["found"])} are met with an overlap
(intersection over union) of 0.5 or more, of {boxes["found"]["of"]} test originals {_share(boxes["found"])}; the mean overlap is {train["mean"]:.2f} and {boxes["mean"]:.2f},
the median {train["median"]:.2f} and {boxes["median"]:.2f}, the least {train["least"]:.2f} and {boxes["least"]:.2f}. Quarters of test originals that no box comes near are refused in {_share(figures["empty_refused"])} of
{figures["empty_refused"]["of"]} cases; in the others platelets or stain on a red cell were taken for one, which fill four times the share of a quarter that they fill of a field.

**Another microscope.** On Tecom's pictures the model is of no use ({tecom["balanced_accuracy"]:.2f}, where 0.25 is guessing), and its probabilities are far too sure. So every answer says
whether the cell is `familiar`, that is, whether its traits lie as near to the usual as those of all training originals do: {_familiar(test)} of the test originals are,
{_familiar(figures["augmented"])} of the augmented copies, and {_familiar(tecom)} of Tecom's. Where it is false, the rest of the answer means little.

## How it was trained
In each original the cell was found and normalised as the service does it, and {plan["copies"]} copies were varied: turned, mirrored, scaled, moved, stained more or less in each colour,
blurred, noisy. From each, {card["traits"]} traits were measured: how lobed, round and large the nucleus is, how nucleus and cytoplasm are stained and how grainy they are. Every type counts alike.
The strength of the regularisation was chosen by {plan["folds"]}-fold cross-validation, repeated {plan["repeats"]} times, on the training originals alone (balanced accuracy {tried}), and
the temperature ({card["temperature"]:.3f}) was fitted on what was said there of unseen cells. Served and trained probabilities differ by {figures["served_difference"]:.0e} at most.

Before, with all 222 training originals and copies varied as whole fields, a small convolutional network (four layers, 47,000 weights, eight varied copies of each original) gave 0.81 where a regression like this one gave 0.86 in the same folds; both together gave 0.82. Support vector
machines, extremely random trees and linear discriminants over the same traits gave 0.82 to 0.86.

**The split is by original picture.** Copies of one picture on both sides would make a model look good that has only learned the picture. In the augmented set the number in a file name is *not* the number of its
original, so that grouping by file name leaks; the originals were found again by matching pictures, and no original is on both sides. Pictures of one and the same cell (found by their likeness) stand in the same fold
of the cross-validation, and the second row above leaves out those of the test set.

**What was not learned from.** Tecom's pictures (GPL-3.0) and the augmented ones (no licence file) were only measured on. Of BCCD, the eight training originals without a box were left out: three of them are not in the
repository that is under the MIT licence, and the lists do not say which. The types come from the list of `dhruvp/wbc-classification`, which has no licence file.

**What was seen of the test set.** The model was chosen by cross-validation, and then measured. After that first measurement (balanced accuracy 0.95, 4 of {test["of"]} wrong) three things were changed because of other
pictures: black corners are no nuclei (the augmented set was mostly refused), nuclei must be darker and larger (quarters without a cell were not refused), and `familiar` was added. The last two were set by training originals. The confusion matrix stayed the same; the ECE went from 0.080 to 0.096.

## Limits
- **Not for medical use.** Nobody's health may depend on an answer; every answer says so in `notice`.
- Four types only. Basophils, immature and sick cells, smudged ones and clumps of platelets are told as one of the four.
- One laboratory, one stain, one camera; other ones are recognised as not `familiar`, at best.
- The list itself seems doubtful in places, as far as a layman sees: several cells that it calls eosinophils have the pale cytoplasm of neutrophils, and the reverse. Most mistakes are between these two.
- Of several white cells in a picture the one with the largest nucleus is told; the others are only counted.
- Probabilities are calibrated on a set with the types as frequent as here ({learned}); in blood where they are not, they are off.
- The same seed gives the same model on the same machine and libraries; another processor may round otherwise.
"""


def _row(what: str, one: Mapping[str, Any]) -> str:
    right = one["accuracy"]
    return (
        f"| {what} | {one['of']} | **{one['balanced_accuracy']:.3f}** | {_ends(one['bootstrap'])} | {_ends(one['jeffreys'])} "
        f"| {right['right']} ({right['rate']:.1%}) | {one['calibration']:.3f} |"
    )


def _recalls(types: list[str], one: Mapping[str, Any]) -> str:
    rows = [
        f"| {kind} | {share['right']} of {share['of']} | {share['rate']:.1%} | {max(0, share['low']):.1%} to {share['high']:.1%} |"
        for kind, share in zip(types, one["recall"], strict=True)
    ]
    return "\n".join(["| test originals | told | recall | interval |", "| --- | --- | --- | --- |", *rows])


def _confusion(types: list[str], one: Mapping[str, Any]) -> str:
    rows = [
        f"| **{kind}** | " + " | ".join(str(count) if count else "·" for count in row) + " |"
        for kind, row in zip(types, one["confusion"], strict=True)
    ]
    head = f"| | {' | '.join(types)} | refused |"
    return "\n".join([head, "| --- " * (len(types) + 2) + "|", *rows])


def _share(one: Mapping[str, Any]) -> str:
    return f"{one['right']} ({one['rate']:.1%}, {max(0, one['low']):.1%} to {one['high']:.1%})"


def _familiar(one: Mapping[str, Any]) -> str:
    return f"{one['familiar']['right']} of {one['familiar']['of']}"


def _ends(ends: list[float]) -> str:
    return f"{ends[0]:.2f} to {ends[1]:.2f}"
