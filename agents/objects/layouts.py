"""Which layout a network's outputs have: recognised by their shapes where only one fits, else named by the operator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agents.objects.description import Description
from agents.objects.words import Background, Form, Layout, Scores, Unit

Shape = tuple[int, ...]

DETECTION = 7
"""Numbers of a detection: image, label, score, left, top, right, bottom."""

_BOX = 4

ROW = 6
"""Numbers of a row: left, top, right, bottom, score, label."""


_DIMENSIONS = 3
"""Of most outputs: the batch, and a table."""


@dataclass(frozen=True)
class Reading:
    """How outputs are to be read."""

    layout: Layout
    boxes: str
    """The output with the boxes, or with everything."""
    scores: str
    """Empty where `boxes` has everything."""
    labels: str
    """Of LISTED; else empty."""
    turned: bool
    """Whether a candidate is a column of `boxes`, not a row."""
    form: Form
    unit: Unit
    kind: Scores
    background: Background
    overlap: float | None
    """Intersection over union above which the less sure of two objects of one label goes; None where none goes."""


@dataclass(frozen=True)
class _Habit:
    """What a layout's makers do; an operator may say otherwise."""

    form: Form
    unit: Unit
    overlap: float | None


_HABITS: Mapping[Layout, _Habit] = {
    Layout.YOLO: _Habit(Form.CENTRE, Unit.PIXEL, 0.5),
    Layout.YOLO_OBJECTNESS: _Habit(Form.CENTRE, Unit.PIXEL, 0.5),
    Layout.ROWS: _Habit(Form.CORNERS, Unit.PIXEL, None),
    Layout.DETECTIONS: _Habit(Form.CORNERS, Unit.FRACTION, None),
    Layout.SSD: _Habit(Form.CORNERS, Unit.FRACTION, 0.5),
    Layout.LISTED: _Habit(Form.CORNERS, Unit.PIXEL, None),
    Layout.DETR: _Habit(Form.CENTRE, Unit.FRACTION, None),
}


def reading(shapes: Mapping[str, Shape], about: Description) -> Reading:
    """How outputs of these shapes are read. Raises BadDescription when none or several layouts fit."""
    for name in (about.outputs.boxes, about.outputs.scores, about.outputs.labels):
        if name and name not in shapes:
            raise about.bad(f"outputs: the network has no output {name}; it has {_told(shapes)}")
    fitting = [candidate for candidate in _candidates(shapes, about) if about.layout in (None, candidate.layout)]
    kinds = list(dict.fromkeys(other.layout for other in fitting))
    if not fitting:
        wanted = f"not laid out as {about.layout}" if about.layout else "of no layout that is known"
        raise about.bad(
            f"with {len(about.labels)} labels its outputs are {wanted}: {_told(shapes)}",
            "count the labels, or say which output is which; docs/reference/object-detect.md has the shapes",
        )
    if len(kinds) > 1:
        raise about.bad(
            f"its outputs may be laid out as {' or as '.join(kinds)}: {_told(shapes)}", "say which as `layout`"
        )
    places = {(other.boxes, other.scores, other.labels) for other in fitting}
    if len(places) > 1:
        raise about.bad(f"several of its outputs may be those of {kinds[0]}: {_told(shapes)}", "name them in `outputs`")
    return fitting[0]


def _candidates(shapes: Mapping[str, Shape], about: Description) -> Iterator[Reading]:
    tables = {name: table for name, shape in shapes.items() if (table := _table(shape))}
    for name, (rows, columns) in tables.items():
        if about.outputs.boxes in ("", name):
            yield from _whole(name, rows, columns, len(shapes[name]), about)
    fours = [name for name, (_, columns) in tables.items() if columns == _BOX]
    called = [name for name in fours if _has(name, "box", "loc")]
    for boxes in [about.outputs.boxes] if about.outputs.boxes in fours else called or fours:
        count = tables[boxes][0]
        for scores, (rows, columns) in tables.items():
            if scores != boxes and rows == count and about.outputs.scores in ("", scores):
                yield from _apart(boxes, scores, columns, about)
        yield from _listed(boxes, count, shapes, about)


def _whole(name: str, rows: int, columns: int, dimensions: int, about: Description) -> Iterator[Reading]:
    count = len(about.labels)
    if dimensions > _DIMENSIONS:
        if columns == DETECTION:
            yield _made(Layout.DETECTIONS, about, name)
        return
    if columns == ROW:
        yield _made(Layout.ROWS, about, name)
    for layout, numbers in ((Layout.YOLO, 4 + count), (Layout.YOLO_OBJECTNESS, 5 + count)):
        # The other way round only where the operator says so: one label too many would make the one look like the other.
        usual = layout is Layout.YOLO
        ways = {True: rows == numbers, False: columns == numbers}
        for turned in (usual, not usual) if layout is about.layout else (usual,):
            if ways[turned]:
                yield _made(layout, about, name, turned=turned)


def _apart(boxes: str, scores: str, columns: int, about: Description) -> Iterator[Reading]:
    """Boxes and scores, one row each for every candidate."""
    count, stated = len(about.labels), about.background
    usual = {Layout.SSD: Background.FIRST, Layout.DETR: Background.LAST}
    for layout in usual:
        background = stated or (Background.NONE if columns == count else usual[layout])
        if columns == count + (background is not Background.NONE):
            yield _made(layout, about, boxes, scores, background=background)


def _listed(boxes: str, count: int, shapes: Mapping[str, Shape], about: Description) -> Iterator[Reading]:
    """Boxes, a score for each, and a label's number for each."""
    flat = [name for name, shape in shapes.items() if name != boxes and _size(shape) == count]
    scores = (
        [about.outputs.scores]
        if about.outputs.scores
        else [outputs for outputs in flat if _has(outputs, "score", "conf")]
    )
    labels = (
        [about.outputs.labels]
        if about.outputs.labels
        else [outputs for outputs in flat if _has(outputs, "label", "class", "cls")]
    )
    for score in scores:
        for label in labels:
            if score != label and {score, label} <= set(flat):
                yield _made(Layout.LISTED, about, boxes, score, label)


def _made(
    layout: Layout,
    about: Description,
    boxes: str,
    scores: str = "",
    labels: str = "",
    turned: bool = False,
    background: Background = Background.NONE,
) -> Reading:
    habit = _HABITS[layout]
    usual = Scores.PROBABILITY
    if layout is Layout.DETR:
        usual = Scores.SIGMOID if background is Background.NONE else Scores.SOFTMAX
    return Reading(
        layout=layout,
        boxes=boxes,
        scores=scores,
        labels=labels,
        turned=turned,
        form=about.boxes or habit.form,
        unit=about.unit or habit.unit,
        kind=about.scores or usual,
        background=background if scores and not labels else about.background or Background.NONE,
        overlap=habit.overlap if about.overlap is None else about.overlap,
    )


def _table(shape: Shape) -> tuple[int, int] | None:
    """Rows and columns of an output, without the dimensions of one before them; None when it has more."""
    if len(shape) < 2 or any(side != 1 for side in shape[:-2]):
        return None
    return shape[-2], shape[-1]


def _size(shape: Shape) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def _has(name: str, *words: str) -> bool:
    return any(word in name.lower() for word in words)


def _told(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
