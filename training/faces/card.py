"""The model cards of the face services, from what was measured."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from agents.imaging.faces.models import EMOTION, GENDER, YUNET, Weights, haar
from streams.datasets.catalogue import entry
from streams.datasets.manifest import of_catalogue
from training.digits.measure import Share
from training.faces.detection import DEFAULT, SCORES, Found, Tally, tally, worst
from training.faces.scenes import CONDITIONS
from training.faces.traits import Traits

Detected = Mapping[str, tuple[Found, ...]]
"""By condition."""

_CASCADE = "haarcascade_frontalface_default"

_PLAIN = next(iter(CONDITIONS))

_SET = """The photos are those of the data set `faces`: 18 public ones with 85 faces, from none to 29 in a photo, from 348 x 522 to 4912 x 7360
pixels. Five have boxes around their 26 faces (dlib's examples); of ten, nine have the tip of each of 28 noses, and one shows nobody (CompreFace's
samples); of three only the number of faces is known. The photos are not part of the project. Five of them are of PASCAL VOC 2011, under
the terms of Flickr, and the rights in the colours of a sixth are not stated: they are for tests, and are shown nowhere."""


def detection(yunet: Detected, cascade: Detected) -> str:
    """Render the page of face-detect as Markdown."""
    tables = [("YuNet", yunet), ("the cascade", cascade)]
    worth = "\n".join(_worth(name, tally(results[_PLAIN])) for name, results in tables)
    scores = "\n".join(
        f"| {score:g} | " + " | ".join(_brief(tally(results[_PLAIN], score)) for _, results in tables) + " |"
        for score in SCORES
    )
    under = "\n".join(
        f"| {name} | " + " | ".join(_brief(tally(results[name])) for _, results in tables) + " |" for name in CONDITIONS
    )
    counts = "\n".join(
        f"| {plain.known.name} | {plain.known.faces} | {_count(plain)} | {_count(other)} |"
        for plain, other in zip(yunet[_PLAIN], cascade[_PLAIN], strict=True)
    )
    return f"""# face-detect

{_head()}
| serves | `face-detect`, and `face-analyze` where no areas are given |
| with its weights | {_weights(YUNET)} |
| without them | {_cascade(_CASCADE)} |
{_foot()}

Nothing was trained here: the weights are those of their makers, who trained them on WIDER FACE.

## What was measured
{_SET}

A box is right when it is the only one for its face: with an intersection over union of 0.5 and more where boxes are known, around the nose
where noses are. Intervals are Wilson's, at 95 %; faces of one photo are alike, so the true ones are wider. At `min_score` {DEFAULT}:

| detector | photos counted right | recall | precision | mean overlap of right boxes |
| --- | --- | --- | --- | --- |
{worth}

Overlaps are with dlib's boxes, which are squares; YuNet's are taller. Of the 26 faces that have one, the worst found overlaps with its nearest box by
{worst(yunet[_PLAIN]):.2f} (YuNet) and {worst(cascade[_PLAIN]):.2f} (the cascade): YuNet misses none, and one of its boxes lies a little beside its face.
{_brief_head("min_score")}
{scores}

The weights decide what `min_score` means: those of the two are not comparable.
{_brief_head("the photos")}
{under}

Sizes are relative to what a detector gets, whose longer side is at most 1280 pixels.

| photo | faces | YuNet | the cascade |
| --- | --- | --- | --- |
{counts}

## Limits
- 18 photos are few, and mostly of people who pose. Crowds, masks, profiles, children and cameras under ceilings are hardly among them; how skins of
  all tones fare was not measured.
- The score from which a hit of the cascade counts, and the largest side of a photo, were chosen while looking at these photos. YuNet was
  used as it is, at its usual score.
- A photo whose EXIF does not say that it lies on its side is read as it lies: hardly a face is found.
- Finding a face says nothing about who it is. It is no proof that there is none, either: who has to make faces unreadable must look at the result.
- How long it takes is for `make bench`, not for this page.
"""


def analysis(traits: Traits) -> str:
    """Render the page of face-analyze as Markdown."""
    answered = sum(count.answered_men for count in traits.counts), sum(count.answered_women for count in traits.counts)
    known = sum(count.men for count in traits.counts), sum(count.women for count in traits.counts)
    counts = "\n".join(
        f"| {count.photo} | {count.women} | {count.answered_women} | {count.men} | {count.answered_men} |"
        for count in traits.counts
        if count.men + count.women
    )
    steady = "\n".join(f"| {trait} | {_cell(share)} |" for trait, share in traits.steady.items())
    return f"""# face-analyze

{_head()}
| serves | `face-analyze` |
| gender | {_weights(GENDER)} |
| emotion | {_weights(EMOTION)} |
| eyes, smile | {_cascade("haarcascade_eye, haarcascade_smile")} |
{_foot()}

Nothing was trained here: the weights are those of their makers, who trained them on IMDB (gender) and FER2013 (emotion).

## What was measured
{_SET}

Faces were found by YuNet. Intervals are Wilson's, at 95 %; faces of one photo are alike, so the true ones are wider.

**Gender is rough.** The women and men of {len(traits.counts)} photos were counted as they appear, mostly by eye, which is an impression and no fact
about anybody. Where all faces of a photo are of one gender, each is known:

| faces | gender right |
| --- | --- |
| in photos of one gender | {_cell(traits.known("man", "woman"))} |
| of these, women | {_cell(traits.known("woman"))} |
| of these, men | {_cell(traits.known("man"))} |

Elsewhere only the counts can be compared. Over all {traits.faces} faces of these photos, at least {_cell(traits.least)} and at most
{_cell(traits.most)} have the right gender. The mistakes are one-sided: of {known[1]} women and {known[0]} men, it answers {answered[1]} and {answered[0]}.

| photo | women | answered | men | answered |
| --- | --- | --- | --- | --- |
{counts}

**Emotion, eyes and smile: nobody wrote down what is true of these photos**, so no accuracy can be given. What can be seen without that is how
often an answer stays the same when the photo is mirrored, which changes nothing about a face:

| trait | the same in the mirror image |
| --- | --- |
{steady}

An answer that changes is wrong in one of the two; one that stays may be wrong twice. The makers of the emotion network give it 66 % on FER2013,
those of the gender network 95 % on IMDB: both say so in the names of their files, and neither was checked here.

## Limits
- Estimates of how a face looks in one picture, with confidences that are not calibrated. Not for a decision about a person.
- Gender is least reliable for small faces in group photos, as the table shows, and is wrong more often for women than for men.
- The margins around a face that the gender network gets were chosen while looking at these photos: elsewhere it is rather worse than better.
- Two genders are all that the network has words for.
- How long it takes is for `make bench`, not for this page.
"""


def _head() -> str:
    return "Written by `python -m training faces`, which measures and trains nothing.\n\n| | |\n| --- | --- |"


def _foot() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("opencv-python-headless", "numpy", "pillow"))
    return f"""| measured on | dataset version `{of_catalogue("faces").label}` |
| command | `make train` (`PART=faces`), or `python -m training faces` in any environment of the project |
| made with | {libraries} |"""


def _weights(weights: Weights) -> str:
    file = entry(weights.file)
    return f"`{weights.name}` {weights.version}, ONNX, {file.size:,} bytes, SHA-256 `{file.sha256}`; {file.licence}"


def _cascade(names: str) -> str:
    return f"`{names}` of {haar('').version.replace('-', ' ', 1)}, which its package brings; Apache-2.0"


def _brief_head(first: str) -> str:
    return f"""
| {first} | YuNet: photos, found, boxes without a face | the cascade: photos, found, boxes without a face |
| --- | --- | --- |"""


def _brief(tally: Tally) -> str:
    wrong = tally.precision.of - tally.precision.right
    return f"{tally.counted.right} of {tally.counted.of}, {tally.recall.right} of {tally.recall.of}, {wrong}"


def _worth(name: str, tally: Tally) -> str:
    cells: Sequence[str] = (_cell(tally.counted), _cell(tally.recall), _cell(tally.precision), f"{tally.overlap:.2f}")
    return f"| {name} | " + " | ".join(cells) + " |"


def _cell(share: Share) -> str:
    low, high = share.interval
    return f"{share.right} of {share.of}: {share.rate:.1%} ({low:.1%} to {high:.1%})"


def _count(result: Found) -> str:
    number = len(result.boxes(DEFAULT))
    return str(number) if number == result.known.faces else f"**{number}**"
