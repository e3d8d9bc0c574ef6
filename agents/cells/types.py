"""The types of white cell that the model distinguishes."""

from enum import StrEnum


class CellType(StrEnum):
    """Of the five in healthy blood; the fifth, the basophil, is too rare to have been learned."""

    NEUTROPHIL = "neutrophil"
    EOSINOPHIL = "eosinophil"
    LYMPHOCYTE = "lymphocyte"
    MONOCYTE = "monocyte"
