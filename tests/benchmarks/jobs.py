"""The three jobs that contenders are measured on, what is sent for each, and what must come back.

J1: a 1-megapixel JPEG in shades of grey. J2: sixteen columns of a customer and five of a month in, a score out. J3: a photo scaled, in grey, as WebP: three steps.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from schemas.refs import Ref
from streams.service.child_calls import call, wait
from tests.benchmarks.photos import photo

PHOTOS = 8
"""How many different photos and customers there are."""
WIDTH = 640


@dataclass(frozen=True)
class Step:
    """One service with its fixed inputs."""

    module: str
    service: str
    more: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """One job: its pipeline in Millrace, and its steps for those who have no pipelines."""

    name: str
    title: str
    pipeline: str
    steps: tuple[Step, ...]
    warm: int
    """Runs before anything is measured."""
    alone: int
    """Runs one after another."""
    many: int
    """Runs with so many in flight, `IN_FLIGHT` at once."""

    @property
    def pictures(self) -> bool:
        """Whether it takes and gives pictures."""
        return self.steps[0].service != "loan-appetence"

    def check(self, number: int, output: Mapping[str, Any]) -> None:
        """Raises AssertionError for any answer but the right one."""
        if self.pictures:
            found, wanted = output["image"]["sha256"], self.answers[number % PHOTOS]
        else:
            found, wanted = output["appetence"], self.answers[number % PHOTOS]
        assert found == wanted, f"{self.name} of {number} gave {found}, not {wanted}"

    @cached_property
    def answers(self) -> list[Any]:
        """What is right: the hash of a picture's bytes, or a score, computed here with the same functions."""
        if self.pictures:
            return [self._picture(number) for number in range(PHOTOS)]
        with ThreadPoolExecutor(1) as elsewhere:  # who asks has an event loop that runs
            return elsewhere.submit(lambda: asyncio.run(self._scores())).result()

    def _picture(self, number: int) -> str:
        data = picture(number)
        for step in self.steps:
            sha256 = hashlib.sha256(data).hexdigest()
            ref = Ref("", "", len(data), sha256, "image/jpeg").to_dict()
            made = call(step.module, step.service, {"image": ref, **step.more}, {sha256: data})
            (one,) = made.objects
            data = one.data
        return hashlib.sha256(data).hexdigest()

    async def _scores(self) -> list[float]:
        (step,) = self.steps
        made = [await wait(step.module, step.service, customer(number), {}) for number in range(PHOTOS)]
        return [one.output["appetence"] for one in made]


_GREY = Step("agents.services.image_greyscale", "image-greyscale", {})
JOBS = {
    job.name: job
    for job in (
        Job("J1", "greyscale of 1 MP", "image-greyscale", (_GREY,), 20, 60, 400),
        Job(
            "J2",
            "a customer in, a score out",
            "loan-appetence",
            (Step("agents.services.loan_appetence", "loan-appetence", {}),),
            60,
            100,
            1000,
        ),
        Job(
            "J3",
            "resize, greyscale, WebP",
            "bench-three-steps",
            (
                Step("agents.services.image_resize", "image-resize", {"width": WIDTH}),
                _GREY,
                Step("agents.services.image_convert", "image-convert", {"format": "webp", "quality": 80}),
            ),
            12,
            30,
            160,
        ),
    )
}
THREE_STEPS = f"""
pipeline: bench-three-steps
input: {{image: image}}
nodes:
  small: {{service: image-resize, with: {{image: "${{image}}", width: {WIDTH}}}}}
  grey: {{service: image-greyscale, with: {{image: "${{small.image}}"}}}}
  webp: {{service: image-convert, with: {{image: "${{grey.image}}", format: webp, quality: 80}}}}
output: {{image: "${{webp.image}}"}}
"""
IN_FLIGHT = 64


@cache
def _pictures() -> list[bytes]:
    return [photo(seed) for seed in range(PHOTOS)]


def picture(number: int) -> bytes:
    """One of the photos."""
    return _pictures()[number % PHOTOS]


def customer(number: int) -> dict[str, Any]:
    """One of the customers: sixteen columns of UCI's Bank Marketing data; the month's five come from the database."""
    n = number % PHOTOS
    return {
        "age": 25 + 5 * n,
        "job": ("technician", "services", "retired", "student")[n % 4],
        "marital": ("married", "single")[n % 2],
        "education": "secondary",
        "default": "no",
        "balance": 100.0 * n,
        "housing": ("yes", "no")[n % 2],
        "loan": "no",
        "contact": "cellular",
        "day": 1 + n,
        "campaign": 1 + n % 3,
        "pdays": -1,
        "previous": 0,
        "poutcome": "nonexistent",
        "month": "may",
        "year": 2010,
    }
