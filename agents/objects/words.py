"""The words of a description: how outputs are laid out, and what their numbers are."""

from enum import StrEnum


class Layout(StrEnum):
    """How a network's outputs are laid out; docs/reference/object-detect.md has the shapes."""

    YOLO = "yolo"
    YOLO_OBJECTNESS = "yolo-objectness"
    ROWS = "rows"
    DETECTIONS = "detections"
    SSD = "ssd"
    LISTED = "listed"
    DETR = "detr"


class Form(StrEnum):
    """What the four numbers of a box are."""

    CENTRE = "centre"
    """x and y of the middle, width, height."""
    CORNERS = "corners"
    """Left, top, right, bottom."""
    CORNERS_YX = "corners-yx"
    """Top, left, bottom, right."""
    CORNER = "corner"
    """Left, top, width, height."""


class Unit(StrEnum):
    PIXEL = "pixel"
    """Of the network's input."""
    FRACTION = "fraction"
    """Of its width and height."""


class Scores(StrEnum):
    PROBABILITY = "probability"
    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"


class Background(StrEnum):
    """Whether one more label than those of the file, which means no object, is counted, and where."""

    NONE = "none"
    FIRST = "first"
    LAST = "last"
