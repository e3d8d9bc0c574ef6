"""The steps from a trained model to its bundle and cards, the same for every part."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from training.part import Made, Order
from training.registry import bundle


class Trained(Protocol):
    """A trained model of a part, before it is written. Methods are called in the order in which they stand here."""

    def export(self, folder: Path) -> None:
        """Write the file that is served into the folder."""

    def card(self, folder: Path) -> dict[str, Any]:
        """Return the card without what is measured; the exported file is in the folder."""

    def metrics(self, folder: Path) -> dict[str, Any]:
        """Measure the model as it is served from the bundle in the folder."""

    def reference(self, folder: Path) -> dict[str, Any]:
        """Return what drift is measured against, see `streams.datasets.drift`."""

    def params(self) -> dict[str, Any]:
        """Return what decided the result, for MLflow."""

    def figures(self, card: Mapping[str, Any]) -> dict[str, float]:
        """Return the metrics of the whole card by flat names, for MLflow."""

    def plots(self, card: Mapping[str, Any]) -> dict[str, bytes]:
        """Draw PNG files by name, from the whole card."""

    def page(self, card: Mapping[str, Any]) -> str:
        """Write the whole card for people, as Markdown."""

    def beside(self) -> dict[Path, bytes]:
        """Return more files of a shipped model, by their path in the repository. Called only for a model that is shipped."""


def finish(trained: Trained, order: Order) -> Made:
    """Export a trained model, measure it as it is served, and write its cards."""
    folder = order.folder
    trained.export(folder)
    card = {**trained.card(folder), "metrics": {}}
    bundle.write(folder, card)  # what serves the model reads its card
    card["metrics"] = trained.metrics(folder)
    card["reference"] = trained.reference(folder)
    whole = bundle.write(folder, card)
    return Made(
        card=whole,
        params=trained.params(),
        figures=trained.figures(whole),
        pictures=trained.plots(whole),
        page=trained.page(whole),
        beside=trained.beside() if order.ship else {},
    )


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each library, for a card."""
    return {name: version(name) for name in libraries}


def deferred(reference: str) -> Callable[..., Any]:
    """Return a function that imports `module:function` only when it is called: training libraries take seconds to import."""
    module, _, name = reference.partition(":")

    def call(*arguments: Any) -> Any:
        return getattr(import_module(module), name)(*arguments)

    return call
