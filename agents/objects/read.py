"""From a network's outputs to candidates: a box by its edges in pixels of the input, a score, a label's number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.objects.layouts import Reading
from agents.objects.words import Background, Form, Layout, Scores, Unit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Rows that belong together."""

    boxes: Array
    """Count x 4: left, top, right, bottom, in pixels of the network's input; not clipped."""
    scores: Array
    """0 to 1."""
    labels: NDArray[np.int64]
    """Positions in the labels; -1 means no object."""

    def at(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Candidates":
        """Select candidates by a mask or by their positions."""
        return Candidates(self.boxes[chosen], self.scores[chosen], self.labels[chosen])


def candidates(outputs: Mapping[str, NDArray[np.float32]], how: Reading, size: tuple[int, int]) -> Candidates:
    """Read the candidates from the outputs of a network whose input has this width and height; leave out what is not finite."""
    boxes, scores, labels = _parts(outputs, how)
    if how.unit is Unit.FRACTION:
        boxes = boxes * (size * 2)
    candidates = Candidates(_edges(boxes, how.form), np.clip(scores, 0, 1), labels)
    return candidates.at(np.isfinite(candidates.boxes).all(axis=1) & np.isfinite(scores))


def _parts(outputs: Mapping[str, NDArray[np.float32]], how: Reading) -> tuple[Array, Array, NDArray[np.int64]]:
    """Boxes as they come, scores, labels."""
    table = _table(outputs[how.boxes])
    if how.turned:
        table = table.T
    match how.layout:
        case Layout.YOLO:
            return table[:, :4], *_best(table[:, 4:], how)
        case Layout.YOLO_OBJECTNESS:
            scores, labels = _best(table[:, 5:], how)
            return table[:, :4], scores * _likely(table[:, 4], how.kind), labels
        case Layout.ROWS:
            return table[:, :4], _likely(table[:, 4], how.kind), _numbers(table[:, 5], how)
        case Layout.DETECTIONS:
            return table[:, 3:7], _likely(table[:, 2], how.kind), _numbers(table[:, 1], how)
        case Layout.LISTED:
            scores = _likely(outputs[how.scores].astype(np.float64).reshape(-1), how.kind)
            return table, scores, _numbers(outputs[how.labels].astype(np.float64).reshape(-1), how)
        case Layout.SSD | Layout.DETR:
            return table, *_best(_table(outputs[how.scores]), how)


def _table(output: NDArray[np.float32]) -> Array:
    return output.reshape(output.shape[-2:]).astype(np.float64)


def _best(table: Array, how: Reading) -> tuple[Array, NDArray[np.int64]]:
    """Return the probability and the number of each row's most likely label; the background is not a label."""
    if how.kind is Scores.SOFTMAX:
        raised = np.exp(table - table.max(axis=1, keepdims=True))
        chances = raised / raised.sum(axis=1, keepdims=True)
    else:
        chances = _likely(table, how.kind)
    if how.background is Background.FIRST:
        chances = chances[:, 1:]
    elif how.background is Background.LAST:
        chances = chances[:, :-1]
    return chances.max(axis=1), chances.argmax(axis=1)


def _likely(values: Array, kind: Scores) -> Array:
    return 1 / (1 + np.exp(-values)) if kind is Scores.SIGMOID else values


def _numbers(values: Array, how: Reading) -> NDArray[np.int64]:
    """Numbers of labels; where 0 is no object, the first label is 1."""
    numbers = np.nan_to_num(np.round(values), nan=-1, posinf=-1, neginf=-1).astype(np.int64)
    return numbers - 1 if how.background is Background.FIRST else numbers


def _edges(boxes: Array, form: Form) -> Array:
    first, second, third, fourth = boxes.T
    match form:
        case Form.CENTRE:
            edges = (first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2)
        case Form.CORNER:
            edges = (first, second, first + third, second + fourth)
        case Form.CORNERS_YX:
            edges = (second, first, fourth, third)
        case _:
            edges = (first, second, third, fourth)
    return np.stack(edges, axis=1)
