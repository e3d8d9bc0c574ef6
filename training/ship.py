"""Train a shipped model again: its bundle, its card for people, and the reference answers of its tests."""

import shutil
from pathlib import Path

from training.part import Made, Order, Part
from training.report import Report


def ship(part: Part, order: Order, top: Path, report: Report) -> Made:
    """Train, and write the files of the repository below `top` once everything succeeded. Raises BadOrder and DataError."""
    shutil.rmtree(order.folder, ignore_errors=True)
    order.folder.mkdir(parents=True)
    trained = part.train(order, report)
    bundle = top / part.shipped
    shutil.rmtree(bundle, ignore_errors=True)
    bundle.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(order.folder, bundle)
    files = {part.page: trained.page.encode(), **trained.beside}
    for path, data in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(data)
    shutil.rmtree(order.state, ignore_errors=True)
    return trained
