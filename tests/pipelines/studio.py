"""Services for pipelines in memory: pictures are references whose keys say what was done to them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.contracts import Contract, load_contracts
from schemas.validation.conform import conform
from streams.compile.library import compile_all, load
from streams.language.topology import Topology
from streams.testing.driver import FAIR, Driver, Seen, Service, Weather

CONTRACTS = load_contracts()
MODEL = {"model": "memory", "model_version": "1"}


def ref(key: str, media_type: str = "image/jpeg") -> dict[str, Any]:
    """A reference to a picture that nobody looks into."""
    return {
        "bucket": "memory",
        "key": key,
        "size": 1,
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "media_type": media_type,
    }


def area(x: int) -> dict[str, int]:
    """The area of the face that stands at x."""
    return {"x": x, "y": 0, "width": 10, "height": 10}


@dataclass
class Studio:
    """The services, for a photo with these people from left to right: `woman`, `man`, or None where no model is."""

    people: tuple[str | None, ...] = ()
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def services(self) -> dict[str, Service]:
        """Every service, held to its contract on both sides."""
        made = {
            "face-detect": self._detect,
            "face-analyze": self._analyze,
            "image-blur": lambda given: self._done(
                given, f"blur{[one['x'] for one in given['areas']]}@{given['strength']}"
            ),
            "image-crop": lambda given: {
                "images": [ref(f"{given['image']['key']}>crop{one['x']}") for one in given["areas"]]
            },
            "image-resize": lambda given: self._done(given, f"{given['width']}x{given['height']}-{given['fit']}"),
            "image-convert": lambda given: self._done(given, f"{given['format']}{given['quality']}"),
            "image-greyscale": lambda given: self._done(given, "grey"),
        }
        return {name: self._held(CONTRACTS[name], body) for name, body in made.items()}

    def called(self, service: str) -> list[Mapping[str, Any]]:
        """The inputs that a service was called with."""
        return [given for name, given in self.calls if name == service]

    def _held(self, contract: Contract, body: Service) -> Service:
        def serve(given: Mapping[str, Any]) -> Mapping[str, Any]:
            taken = conform(contract.input, given)
            self.calls.append((contract.name, taken))
            answer: Mapping[str, Any] = conform(contract.output, body(taken))
            return answer

        return serve

    def _detect(self, given: Mapping[str, Any]) -> dict[str, Any]:
        faces = [{"area": area(10 * place), "score": 0.9, "landmarks": None} for place in range(len(self.people))]
        return {"faces": faces, **MODEL}

    def _analyze(self, given: Mapping[str, Any]) -> dict[str, Any]:
        wanted = given["areas"]
        areas = [area(10 * place) for place in range(len(self.people))] if wanted is None else wanted
        return {"faces": [self._face(one) for one in areas], **MODEL}

    def _face(self, where: Mapping[str, int]) -> dict[str, Any]:
        looks = {"eyes": 2, "eyes_confidence": 0.9, "smile": True, "smile_confidence": 0.8}
        gender = self.people[where["x"] // 10]
        sure = None if gender is None else 0.9
        return {
            "area": where,
            "gender": gender,
            "gender_confidence": sure,
            **looks,
            "sharpness": 0.7,
            "brightness": 0.5,
        }

    @staticmethod
    def _done(given: Mapping[str, Any], what: str) -> dict[str, Any]:
        return {"image": ref(f"{given['image']['key']}>{what}")}


def topology(name: str) -> Topology:
    """A pipeline as it is shipped."""
    found = compile_all(load(CONTRACTS), CONTRACTS, [name])
    assert not found.problems
    return found.topologies[name]


def run(name: str, given: Mapping[str, Any], studio: Studio, weather: Weather = FAIR, seed: int = 0) -> Seen:
    """Run a shipped pipeline in memory, its input with the defaults that a gateway would fill in."""
    made = topology(name)
    return Driver(made, studio.services(), weather, seed).run(conform(made.input, given))
