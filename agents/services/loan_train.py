"""Train loan-appetence again when its data has changed, and let it serve if it is good enough.

A training is due when the data catalogue has another version of the data than the one that the serving model learned from; otherwise
nothing is done, unless `anyway` asks for it. Other work continues meanwhile; a machine trains one model at a time. The model is registered, and
compared with the one that serves on calls that neither has learned from: if it is not worse, it serves from then on, without an
interruption. If it is, it stays registered, and `verdict` says why. `millrace models use` goes back to any other.
"""

from typing import Annotated

from agents.loan.model import LOAN
from agents.retraining.process import trained, usable
from streams.datasets.manifest import of_catalogue
from streams.models import read
from streams.models.version_order import order
from streams.service import Doc, PartUnavailable, Record, service
from streams.settings import Settings

SLOT, DATASET = "loan-appetence", "bank-marketing"


class Request(Record):
    anyway: Annotated[bool, Doc("Whether to train also when the data is what the serving model learned from.")] = False
    trees: Annotated[int | None, Doc("How many trees, instead of as many as are shipped.", 10, 2000)] = None
    promote: Annotated[bool, Doc("Whether it serves if it passes the gate; else it is only registered.")] = True


class Response(Record):
    trained: Annotated[bool, Doc("False when there was nothing to be done.")]
    model: str
    version: Annotated[str, Doc("Of its content; answers that it gives carry it.")]
    dataset: Annotated[str, Doc("The dataset version that it learned from.")]
    registered: Annotated[int | None, Doc("The number of its version in the registry of models, where it has one.")] = (
        None
    )
    promoted: Annotated[bool, Doc("Whether it serves from now on.")] = False
    verdict: Annotated[str, Doc("Why, with the figures.")]
    auc: Annotated[
        float | None, Doc("On the calls held back: how often a buyer is scored above who did not buy.", 0, 1)
    ] = None
    calibration_error: Annotated[float | None, Doc("How far scores and shares of buyers lie apart.", 0, 1)] = None


@service(
    "loan-train",
    version="1.0.0",
    deterministic=False,
    timeout=12 * 3600,
    memory=768,
    example={},
    check=usable,
    trains="loan-appetence",
)
async def loan_train(request: Request) -> Response:
    serving = await _serving()
    wanted = of_catalogue(DATASET).label
    if serving.dataset == wanted and not request.anyway:
        verdict = f"Nothing is due: the serving model learned from {wanted}, and the data is still that."
        return Response(
            trained=False,
            model=serving.model,
            version=serving.version,
            dataset=serving.dataset,
            registered=serving.registered,
            verdict=verdict,
        )
    options = {} if request.trees is None else {"trees": str(request.trees)}
    # "When the data has changed" is never filled for good; only what is wanted anyway is.
    asked = {"anyway": request.anyway, "trees": request.trees, "promote": request.promote}
    ordered = order("loan-train", asked) if request.anyway else ""
    outcome = await trained("loan", 1, "", options, ordered, promote=request.promote)
    return Response(
        trained=True,
        **outcome.answer,
        auc=outcome.figures["test.auc"],
        calibration_error=outcome.figures["test.calibration_error"],
    )


class _Serving(Record):
    model: str
    version: str
    dataset: str
    registered: int | None = None


async def _serving() -> _Serving:
    """Return the model that serves: the version with the alias, else the shipped bundle. Raises PartUnavailable."""
    from streams.runtime.models.champions import ModelRegistryUnavailable, connected, versions

    try:
        async with connected(Settings.read()) as connection:
            known = [] if connection is None else await versions(connection, SLOT)
    except ModelRegistryUnavailable as error:
        raise PartUnavailable("postgres", str(error)) from None
    for version in known:
        champion = version.as_champion()
        if version.champion and champion is not None:
            dataset = version.tags.get("millrace.dataset", "")
            return _Serving(model=champion.model, version=champion.version, dataset=dataset, registered=version.number)
    shipped = read(LOAN.shipped)
    return _Serving(model=shipped.name, version=shipped.version, dataset=shipped.dataset)
