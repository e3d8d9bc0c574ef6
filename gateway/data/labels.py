"""The labels that people may give a prediction: those that its service could have given itself."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from gateway.api.problems import Fault, Kind, Problem
from schemas.contracts import Contract, load_contracts
from schemas.errors import Nonconforming
from schemas.shapes import Field, record_shape
from schemas.validation.conform import conform_field


def label_field(contracts: Mapping[str, Contract], service: str) -> Field | None:
    """Return the field of a service's output that people can correct; None when there is none.

    `contracts`: those of live services; a service that is not live is known by its shipped contract.
    """
    contract = contracts.get(service) or _shipped().get(service)
    return record_shape(contract.output).field(contract.label) if contract is not None and contract.label else None


def corrected_label(field: Field, value: Any) -> Any:
    """Return a label in the form of the service's contract. Raises Problem (422) that names the possible labels."""
    try:
        return conform_field(field, value)
    except Nonconforming as error:
        faults = [Fault("label", problem.problem, possible_labels(field) or problem.hint) for problem in error.problems]
        raise Problem(Kind.INVALID, f"This is not a {field.name} that the service could have given.", faults) from None


def possible_labels(field: Field) -> str:
    """Describe the labels that a field can have."""
    if field.enum:
        return f"one of {', '.join(map(str, field.enum))}"
    if field.minimum is not None and field.maximum is not None:
        return f"from {field.minimum:g} to {field.maximum:g}"
    return field.doc


@cache
def _shipped() -> dict[str, Contract]:
    return load_contracts()
