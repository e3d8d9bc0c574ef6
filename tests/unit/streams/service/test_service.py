"""A service is one typed function: its contract is derived from its classes, and its input and output are held to it."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

import pytest

from schemas.contracts import Contract
from schemas.refs import Ref
from schemas.validation.conform import conform
from streams.service.child_calls import call, find
from streams.service.contract import BadRecord, Doc, Encoded, Media, Record
from streams.service.declaration import service
from streams.service.errors import InvalidInput
from streams.service.invocation import BadService, Service
from streams.service.model_status import ModelStatus, ModelSummary, summarise
from streams.service.values import BadOutput


class Note(Media):
    """Text in an object, for tests: anything but ASCII is refused."""

    kind: ClassVar[str] = "note"

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def decode(cls, data: bytes, ref: Ref) -> Self:
        """The text, which must be ASCII."""
        if not data.isascii():
            raise InvalidInput(f"{ref.media_type} is not ASCII", "send ASCII")
        return cls(data.decode())

    def encode(self) -> Encoded:
        """The text as a file."""
        return Encoded("text/plain", self.text.encode())


class Case(StrEnum):
    UPPER = "upper"
    LOWER = "lower"


class Span(Record, shared=True):
    """A part of a text."""

    start: Annotated[int, Doc("First letter.", minimum=0)]
    length: int = 1


class Mark(Record):
    at: Span
    sure: float | None = None


class Request(Record):
    note: Annotated[Note, Doc("What to change.")]
    others: tuple[Note, ...] = ()
    case: Annotated[Case, Doc("To which case.")] = Case.UPPER
    spans: tuple[Span, ...] | None = None
    factor: Annotated[float, Doc("How often.", minimum=0, maximum=3)] = 1
    tags: Mapping[str, bool] = field(default_factory=dict)
    free: Any = None


class Response(Record):
    note: Note
    notes: tuple[Note, ...]
    marks: tuple[Mark, ...]
    case: Case
    total: float


@service(
    "change-case",
    version="2.1.0",
    timeout=5,
    memory=64,
    deterministic=False,
    example={"note": "data:text/plain,hello"},
    models=lambda: (ModelStatus("big", "7", False, "no weights"), ModelStatus("small", "1", True)),
)
def change_case(request: Request) -> Response:
    """The service under test."""
    change = str.upper if request.case is Case.UPPER else str.lower
    return Response(
        note=Note(change(request.note.text)),
        notes=tuple(Note(change(other.text)) for other in request.others),
        marks=tuple(Mark(at=span) for span in request.spans or ()),
        case=request.case,
        total=request.factor * len(request.note.text),
    )


def _ref(data: bytes) -> dict[str, Any]:
    return {
        "bucket": "b",
        "key": "k",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": "text/plain",
    }


def _invoke(record: dict[str, Any], *objects: bytes) -> Any:
    return change_case.invoke(record, {hashlib.sha256(data).hexdigest(): data for data in objects})


def test_the_contract_says_everything() -> None:
    """Types, docs, bounds, words, defaults and nested records of the classes are all in the Avro records."""
    contract = change_case.contract
    assert isinstance(contract, Contract)
    assert contract.summary == __doc__
    assert (contract.version, contract.timeout, contract.memory, contract.deterministic) == ("2.1.0", 5, 64, False)
    span = {
        "type": "record",
        "name": "millrace.Span",
        "doc": "A part of a text.",
        "fields": [
            {"name": "start", "type": "long", "doc": "First letter.", "minimum": 0},
            {"name": "length", "type": "long", "default": 1},
        ],
    }
    assert contract.input == {
        "type": "record",
        "name": "millrace.ChangeCaseInput",
        "fields": [
            {"name": "note", "type": "millrace.Ref", "doc": "What to change.", "media": "note"},
            {"name": "others", "type": {"type": "array", "items": "millrace.Ref"}, "default": [], "media": "note"},
            {"name": "case", "type": "string", "doc": "To which case.", "default": "upper", "enum": ["upper", "lower"]},
            {"name": "spans", "type": ["null", {"type": "array", "items": span}], "default": None},
            {
                "name": "factor",
                "type": "double",
                "doc": "How often.",
                "default": 1,
                "minimum": 0,
                "maximum": 3,
            },
            {"name": "tags", "type": {"type": "map", "values": "boolean"}, "default": {}},
            {"name": "free", "type": "millrace.Value", "default": None},
        ],
    }
    mark = contract.output["fields"][2]["type"]["items"]
    assert mark["name"] == "millrace.ChangeCaseMark"
    assert mark["fields"][1] == {"name": "sure", "type": ["null", "double"], "default": None}


def test_the_contract_fills_defaults() -> None:
    """A record that names only what it must is completed by the schemas' own checker."""
    record = conform(change_case.contract.input, {"note": _ref(b"x"), "spans": [{"start": 3}]})
    assert record["spans"] == [{"start": 3, "length": 1}]
    assert record["case"] == "upper"


def test_a_call() -> None:
    """Media are decoded before the function and encoded after it; their refs carry hash, size and type."""
    made = _invoke(
        {"note": _ref(b"one"), "others": [_ref(b"two"), _ref(b"one")], "spans": [{"start": 2}]}, b"one", b"two"
    )
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"ONE", b"TWO"))
    assert made.output["note"] == {"bucket": "", "key": "", "size": 3, "sha256": one, "media_type": "text/plain"}
    assert [ref["sha256"] for ref in made.output["notes"]] == [two, one]
    assert {produced.sha256: produced.data for produced in made.objects} == {one: b"ONE", two: b"TWO"}
    assert made.output["marks"] == [{"at": {"start": 2, "length": 1}, "sure": None}]
    assert made.output["case"] == "upper"
    assert made.output["total"] == 3.0


@pytest.mark.parametrize(
    ("record", "where", "said"),
    [
        ({}, "note", "is missing"),
        ({"note": "x"}, "note", "expected"),
        ({"note": _ref(b"a"), "case": "uper"}, "case", "upper, lower"),
        ({"note": _ref(b"a"), "factor": 4}, "factor", "at most 3"),
        ({"note": _ref(b"a"), "spans": [{"start": 1}, {"start": -1}]}, "spans[1].start", "at least 0"),
        ({"note": _ref(b"a"), "spans": [{"start": "1"}]}, "spans[0].start", "whole number"),
        ({"note": _ref(b"a"), "others": [_ref(b"\xff")]}, "others[0]", "not ASCII"),
    ],
)
def test_bad_input_is_refused_by_its_place(record: dict[str, Any], where: str, said: str) -> None:
    """A value outside the contract, or an object that is not what it should be, is the caller's fault, and named."""
    with pytest.raises(InvalidInput, match=said) as refused:
        _invoke(record, b"a", b"\xff")
    assert refused.value.where == where
    assert str(refused.value).startswith(f"{where}: ")


def test_every_problem_is_told_at_once() -> None:
    """Several problems of one input are refused together."""
    with pytest.raises(InvalidInput, match=r"factor: .*; .*case: |case: .*; factor: "):
        _invoke({"note": _ref(b"a"), "factor": 9, "case": 3}, b"a")


def test_a_refusal_survives_being_pickled() -> None:
    """Reason, hint and place of a refusal come through the pipe of a pool child."""
    refused = pickle.loads(pickle.dumps(InvalidInput("too large", "make it smaller", "image")))  # noqa: S301  # our own
    assert (refused.reason, refused.hint, refused.where) == ("too large", "make it smaller", "image")
    assert str(refused) == "image: too large (make it smaller)"
    assert refused.at("elsewhere") is refused
    assert InvalidInput("too large").at("image").where == "image"


def test_an_invocation_survives_being_pickled() -> None:
    """What a call gives can leave the pool child."""
    made = _invoke({"note": _ref(b"one")}, b"one")
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  # our own


def _service(function: Any) -> Service[Any, Any]:
    return service("a-test", version="1.0.0")(function)


class Nothing(Record):
    pass


class Number(Record):
    value: Annotated[float, Doc("", maximum=1)]
    span: Span | None = None


@pytest.mark.parametrize("given", [{"value": 2.0}, {"value": float("nan")}, {"value": "1"}, {"value": 1, "span": 3}])
def test_a_bad_output_is_the_services_fault(given: dict[str, Any]) -> None:
    """A value outside the contract in an output is an error of the service, not a refusal of its input."""

    def bad(request: Nothing) -> Number:
        return Number(**given)

    with pytest.raises(BadOutput):
        _service(bad).invoke({}, {})


def test_exceptions_of_a_function_pass_unchanged() -> None:
    """An exception of the function is not disguised: the runtime decides what it means."""

    def broken(request: Nothing) -> Nothing:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        _service(broken).invoke({}, {})


@pytest.mark.parametrize(
    "function",
    [
        lambda request: request,
        lambda: None,
    ],
)
def test_a_function_must_be_typed(function: Any) -> None:
    """A function that does not say its records is no service."""
    with pytest.raises(BadService, match="must take one Record and return one"):
        _service(function)


def test_annotations_that_avro_cannot_say() -> None:
    """A field of a kind that no contract can carry is named with its class."""

    class Odd(Record):
        either: int | str

    class Set(Record):
        many: frozenset[int]

    def odd(request: Odd) -> Nothing:
        return Nothing()

    def many(request: Set) -> Nothing:
        return Nothing()

    for function, name in ((odd, "either"), (many, "many")):
        with pytest.raises(BadRecord, match=name):
            _ = _service(function).contract


def test_two_records_of_one_name() -> None:
    """Two nested records that would have one Avro name are an error, not a silent mix."""

    def other() -> type[Record]:
        class Mark(Record):
            word: str

        return Mark

    class Both(Record):
        one: Mark
        two: other()  # type: ignore[valid-type]

    def both(request: Both) -> Nothing:
        return Nothing()

    with pytest.raises(BadRecord, match=r"millrace\.ATestMark"):
        _ = _service(both).contract


def test_models_in_an_announcement() -> None:
    """The models in use, and what is missing, are said in the words of an announcement."""
    assert summarise(change_case.model_status()) == ModelSummary("small", "1", "big: no weights")

    def plain(request: Nothing) -> Nothing:
        return request

    assert summarise(_service(plain).model_status()) == ModelSummary(None, None, None)


def test_a_pool_child_finds_a_service_by_module_and_name() -> None:
    """By module and name a service is found and called; a wrong name says which module lacks it."""
    data = b"one"
    made = call(
        "agents.services.image_greyscale", "image-greyscale", {"image": _ref(_png())}, {_ref(_png())["sha256"]: _png()}
    )
    assert made.objects[0].media_type == "image/png"
    with pytest.raises(BadService, match=r"agents\.services\.image_greyscale defines no service 'image-blur'"):
        find("agents.services.image_greyscale", "image-blur")
    assert change_case(Request(note=Note(data.decode()))).note.text == "ONE"


def _png() -> bytes:
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (2, 2), (255, 0, 0)).save(out, "PNG")
    return out.getvalue()


def change_all(requests: list[Request]) -> list[Response | Exception]:
    """The first fails, the others are changed."""
    return [ValueError("not the first"), *map(change_case.function, requests[1:])]  # type: ignore[list-item]


def test_a_function_over_many_answers_each_alone() -> None:
    """A request that is none, one whose answer is an exception, and good ones: each gets its own end, in order."""
    made = service("change-all", version="1.0.0", batch=4, many=change_all)(change_case.function)
    good = ({"note": _ref(b"Hello")}, {hashlib.sha256(b"Hello").hexdigest(): b"Hello"})
    found = made.invoke_all([({"note": 3}, {}), good, good])
    assert [type(one).__name__ for one in found] == ["InvalidInput", "ValueError", "Invocation"]
    with pytest.raises(BadService, match="gave 1 answers to 2 requests"):
        service("change-all", version="1.0.0", batch=4, many=lambda _: [1])(change_case.function).invoke_all(
            [good, good]
        )


@pytest.mark.parametrize("options", [{"batch": 0}, {"many": change_all}])
def test_batches_that_cannot_be(options: dict[str, Any]) -> None:
    """No calls at once, and a function over many that would never get more than one, are refused when they are declared."""
    with pytest.raises(BadService, match="`batch` is how many calls a process takes together"):
        service("change-all", version="1.0.0", **options)(change_case.function)


def test_an_async_function_takes_no_batches() -> None:
    """A function that waits runs many times at once anyhow."""

    async def waits(request: Request) -> Response:
        """Never called."""
        raise AssertionError(request)

    with pytest.raises(BadService, match="a function that waits takes any number"):
        service("waits", version="1.0.0", batch=2)(waits)
