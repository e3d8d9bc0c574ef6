"""How likely a customer of a bank is to take a term deposit when called.

The customer is described in the words of UCI's Bank Marketing data, in either file's; what is not sent counts as not known. The
economy is described by the month's socio-economic indicators, which are read from the database at every scoring: of the month
that `month` and `year` or `at` name, else of the newest. Changing the row changes the next score.

The length of the call, `duration`, is not an input: it is known only when the outcome is. A request with it, with indicators or
with the outcome is refused with the reason.

An estimate from calls of one Portuguese bank in 2008 to 2010, for ordering whom to call. Not for granting or refusing credit.
"""

from enum import StrEnum
from typing import Annotated

from agents.loan.features import Customer, features
from agents.loan.indicators import COLUMNS
from agents.loan.model import LOAN
from agents.loan.when import asked
from streams.service import Doc, Record, RetryLater, service
from streams.settings import SettingError, Settings


class Job(StrEnum):
    ADMIN = "admin."
    BLUE_COLLAR = "blue-collar"
    ENTREPRENEUR = "entrepreneur"
    HOUSEMAID = "housemaid"
    MANAGEMENT = "management"
    RETIRED = "retired"
    SELF_EMPLOYED = "self-employed"
    SERVICES = "services"
    STUDENT = "student"
    TECHNICIAN = "technician"
    UNEMPLOYED = "unemployed"
    UNKNOWN = "unknown"


class Marital(StrEnum):
    MARRIED = "married"
    SINGLE = "single"
    DIVORCED = "divorced"
    UNKNOWN = "unknown"


class Education(StrEnum):
    ILLITERATE = "illiterate"
    BASIC_4Y = "basic.4y"
    BASIC_6Y = "basic.6y"
    BASIC_9Y = "basic.9y"
    HIGH_SCHOOL = "high.school"
    PROFESSIONAL_COURSE = "professional.course"
    UNIVERSITY_DEGREE = "university.degree"
    PRIMARY = "primary"
    SECONDARY = "secondary"
    TERTIARY = "tertiary"
    UNKNOWN = "unknown"


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Contact(StrEnum):
    CELLULAR = "cellular"
    TELEPHONE = "telephone"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    OTHER = "other"
    NONEXISTENT = "nonexistent"
    UNKNOWN = "unknown"


class MonthName(StrEnum):
    JAN = "jan"
    FEB = "feb"
    MAR = "mar"
    APR = "apr"
    MAY = "may"
    JUN = "jun"
    JUL = "jul"
    AUG = "aug"
    SEP = "sep"
    OCT = "oct"
    NOV = "nov"
    DEC = "dec"


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_INDICATOR = "the month's indicators are read from the database (docs/reference/loan.md says how to change them); `at` names the month"

UNWANTED = {
    "duration": "how long the call took is known only after it, when the outcome is known too",
    "y": "it is the outcome that is to be estimated",
    **dict.fromkeys([*COLUMNS, *COLUMNS.values()], _INDICATOR),
}
"""Fields of the UCI files that are not inputs."""


class Request(Record, unwanted=UNWANTED):
    age: Annotated[int | None, Doc("In years.", 16, 120)] = None
    job: Annotated[Job | None, Doc("Their occupation.")] = None
    marital: Annotated[Marital | None, Doc("`divorced` also means widowed.")] = None
    education: Annotated[Education | None, Doc("The highest one.")] = None
    default: Annotated[Answer | None, Doc("Whether a credit is in default.")] = None
    balance: Annotated[float | None, Doc("The average of a year's balances, in euros.", -1e9, 1e9)] = None
    housing: Annotated[Answer | None, Doc("Whether they have a housing loan.")] = None
    loan: Annotated[Answer | None, Doc("Whether they have a personal loan.")] = None
    contact: Annotated[Contact | None, Doc("How they are reached.")] = None
    day: Annotated[int | None, Doc("The day of the month of the call.", 1, 31)] = None
    day_of_week: Annotated[Weekday | None, Doc("The day of the week of the call; else that of the date.")] = None
    campaign: Annotated[int | None, Doc("Calls to them in this campaign, including this one.", 1, 1000)] = None
    pdays: Annotated[
        int | None, Doc("Days since the last call of an earlier campaign; -1 or 999: none.", -1, 100_000)
    ] = None
    previous: Annotated[int | None, Doc("Calls to them in earlier campaigns.", 0, 10_000)] = None
    poutcome: Annotated[Outcome | None, Doc("Outcome of the earlier campaign.")] = None
    month: Annotated[MonthName | None, Doc("The month of the call; without `year`, the newest one of this name.")] = (
        None
    )
    year: Annotated[int | None, Doc("Its year.", 1900, 9999)] = None
    at: Annotated[str | None, Doc("Instead of `month` and `year`: `2010-05`, or a date such as `2010-05-17`.")] = None


class Used(Record):
    """The indicators that went into the score, as they were in the database at that moment."""

    year: int
    month: int
    emp_var_rate: Annotated[float, Doc("Change of employment, percent (quarterly).")]
    cons_price_idx: Annotated[float, Doc("Consumer price index.")]
    cons_conf_idx: Annotated[float, Doc("Consumer confidence index.")]
    euribor3m: Annotated[float, Doc("Three-month Euribor, percent a year.")]
    nr_employed: Annotated[float, Doc("People employed, thousands (quarterly).")]
    updated_at: Annotated[str, Doc("When the row was last changed, ISO 8601.")]


class Response(Record):
    appetence: Annotated[float, Doc("The probability of a yes.", 0, 1)]
    indicators: Used
    model: Annotated[str, Doc("What scored.")]
    model_version: str


EXAMPLE = {
    "age": 41,
    "job": "technician",
    "marital": "married",
    "education": "secondary",
    "balance": 1250.0,
    "housing": "yes",
    "loan": "no",
    "contact": "cellular",
    "campaign": 1,
    "previous": 0,
    "poutcome": "nonexistent",
    "at": "2010-05-17",
}


def remark() -> str:
    """Say what must be done before customers can be scored; empty when they can be."""
    from agents.loan.ready import usable  # listing services must not import PostgreSQL's client

    return usable()


@service(
    "loan-appetence",
    version="1.0.0",
    deterministic=False,
    repeatable=True,
    timeout=15,
    memory=768,
    example=EXAMPLE,
    slot=LOAN,
    remark=remark,
)
async def loan_appetence(request: Request) -> Response:
    from agents.loan.economy import economy  # here: the worker itself, which lists the service, needs no database

    try:
        url = Settings.read().postgres
    except SettingError as error:
        raise RetryLater(str(error), "the operator of the loan-appetence worker sets it right") from None
    when = asked(request.month, request.year, request.at, request.day)
    row = await economy(url).read(when)
    customer = Customer(
        age=request.age,
        job=request.job,
        marital=request.marital,
        education=request.education,
        default=request.default,
        balance=request.balance,
        housing=request.housing,
        loan=request.loan,
        contact=request.contact,
        day=when.day,
        day_of_week=request.day_of_week,
        campaign=request.campaign,
        pdays=request.pdays,
        previous=request.previous,
        poutcome=request.poutcome,
    )
    used = LOAN.loaded()
    (appetence,) = used.score([features(customer, row.month, row.indicators)])
    return Response(
        appetence=round(appetence, 6),
        indicators=Used(
            year=row.month.year,
            month=row.month.month,
            updated_at=row.updated_at.isoformat(),
            **row.indicators.values(),
        ),
        model=used.bundle.name,
        model_version=used.bundle.version,
    )
