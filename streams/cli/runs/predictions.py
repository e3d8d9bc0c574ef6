"""`predictions`: what models said, and putting right what was wrong, over HTTP."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.output import Output, OutputOption, columns, emit, emit_list

Identity = Annotated[str, typer.Argument(help="The prediction's id, as `list` shows it.", metavar="ID")]
Label = Annotated[str, typer.Argument(help="What it should have been: a number or a word.", metavar="LABEL")]
Last = Annotated[int, typer.Option("--last", min=1, max=500, help="How many, the newest first.")]
Service = Annotated[str | None, typer.Option("--service", help="Only those of this service.")]
Version = Annotated[str | None, typer.Option("--version", help="Only those of this version of a model.")]
OfRun = Annotated[str | None, typer.Option("--run", help="Only those of this run.")]
Below = Annotated[float | None, typer.Option("--below", min=0, max=1, help="Only those with a lower confidence.")]
Corrected = Annotated[
    bool | None, typer.Option("--corrected/--uncorrected", help="Only those that were, or were not, corrected.")
]


def listing(
    last: Last = 20,
    service: Service = None,
    version: Version = None,
    run: OfRun = None,
    below: Below = None,
    corrected: Corrected = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List predictions, the newest first; the most doubtful are worth a look (--below 0.8)."""
    wanted = {"service": service, "model_version": version, "run": run, "below": below, "corrected": corrected}
    with Gateway() as gateway:
        predictions = gateway.call("GET", "/predictions", params={**wanted, "limit": last}).json()["predictions"]
    rows = (
        (
            prediction["id"],
            prediction["service"],
            prediction["model_version"],
            _said(prediction),
            _sure(prediction),
            prediction["at"],
            prediction["run"],
        )
        for prediction in predictions
    )
    head = ("ID", "SERVICE", "VERSION", "LABEL", "CONFIDENCE", "AT", "RUN")
    emit_list(output, predictions, head, rows, "there are no such predictions")


def show(identity: Identity, output: OutputOption = Output.TEXT) -> None:
    """Show one prediction: its output, and who corrected it."""
    with Gateway() as gateway:
        prediction = gateway.call("GET", f"/predictions/{part(identity)}").json()
    emit(output, prediction, lambda: _whole(prediction))


def drift(service: Service = None, version: Version = None, output: OutputOption = Output.TEXT) -> None:
    """Show how far what models met last is from what they learned from.

    Under 0.1 a feature is steady, from 0.25 on it has drifted; `chance` is what chance alone gives in one case of twenty.
    """
    wanted = {"service": service, "model_version": version}
    with Gateway() as gateway:
        features = gateway.call("GET", "/predictions/drift", params=wanted).json()["drift"]
    rows = (
        (
            feature["service"],
            feature["model_version"],
            feature["feature"],
            f"{feature['psi']:.3f}",
            "-" if feature["chance"] is None else f"{feature['chance']:.3f}",
            str(feature["predictions"]),
            feature["level"],
        )
        for feature in features
    )
    head = ("SERVICE", "VERSION", "FEATURE", "PSI", "CHANCE", "PREDICTIONS", "LEVEL")
    empty = "nothing was measured yet: no model whose card says what it learned from has met anything"
    emit_list(output, features, head, rows, empty)


def correct(identity: Identity, label: Label, output: OutputOption = Output.TEXT) -> None:
    """Say what a prediction should have been. Saying it again with another label replaces that; the history stays."""
    try:
        value = json.loads(label)
    except ValueError:
        value = label
    with Gateway() as gateway:
        prediction = gateway.call("POST", f"/predictions/{part(identity)}/corrections", json={"label": value}).json()
    emit(output, prediction, lambda: f"{prediction['id']}  {_said(prediction)}")


def _said(prediction: Mapping[str, Any]) -> str:
    label = "-" if prediction["label"] is None else _text(prediction["label"])
    return f"{label} → {_text(prediction['correction']['label'])}" if prediction["correction"] else label


def _sure(prediction: Mapping[str, Any]) -> str:
    return "-" if prediction["confidence"] is None else f"{prediction['confidence']:.3f}"


def _text(label: Any) -> str:
    return label if isinstance(label, str) else json.dumps(label)


def _whole(prediction: Mapping[str, Any]) -> str:
    rows = [
        ("id", prediction["id"]),
        ("service", prediction["service"]),
        ("model", f"{prediction['model']} {prediction['model_version']}"),
        ("label", _said(prediction)),
        ("confidence", _sure(prediction)),
        ("run", f"{prediction['run']}  {prediction['path']}"),
        ("at", prediction["at"]),
        ("input", prediction["input"]),
        ("output", json.dumps(prediction["output"], ensure_ascii=False)),
        *(
            ("corrected", f"{_text(c['old'])} → {_text(c['new'])} by {c['by']} at {c['at']}")
            for c in prediction["corrections"]
        ),
    ]
    return columns(rows)
