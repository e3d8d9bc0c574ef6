"""Measure the estimates of face-analyze, as far as these photos allow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.imaging.area import Area
from agents.imaging.picture import Picture
from agents.services.face_analyze import Face, Request, face_analyze
from training.digits.measure import Share
from training.faces.scenes import as_it_is, mirrored
from training.faces.truth import Photo

TRAITS = ("gender", "emotion", "eyes", "smile")


@dataclass(frozen=True)
class Counted:
    """The genders of one photo's faces, as known and as answered."""

    photo: str
    men: int
    women: int
    answered_men: int
    answered_women: int

    @property
    def uniform(self) -> bool:
        """Whether all of its faces are known one by one, because they are of one gender."""
        return not (self.men and self.women)

    @property
    def wrong(self) -> int:
        """The least number of faces with a wrong gender; exact for a uniform photo."""
        return abs(self.answered_men - self.men)

    @property
    def right(self) -> int:
        """The least number of faces with the right gender; exact for a uniform photo."""
        return max(0, self.answered_men - self.women) + max(0, self.answered_women - self.men)


@dataclass(frozen=True)
class Traits:
    """Everything that was measured."""

    counts: tuple[Counted, ...]
    """Of the photos whose women and men were counted and whose faces were all found."""
    steady: dict[str, Share]
    """Faces with the same answer in the photo and in its mirror image, by trait."""

    @property
    def faces(self) -> int:
        """The number of faces in `counts`."""
        return sum(count.men + count.women for count in self.counts)

    @property
    def least(self) -> Share:
        """Faces with the right gender, if all that the counts leave open is wrong."""
        return Share(sum(count.right for count in self.counts), self.faces)

    @property
    def most(self) -> Share:
        """Faces with the right gender, if all that the counts leave open is right."""
        return Share(self.faces - sum(count.wrong for count in self.counts), self.faces)

    def known(self, *genders: str) -> Share:
        """Return the faces with the right answer among those of these genders, in photos where all are of one gender."""
        photos = [count for count in self.counts if count.uniform and ("man" if count.men else "woman") in genders]
        return Share(sum(photo.right for photo in photos), sum(photo.men + photo.women for photo in photos))


def measure(photos: Sequence[Photo]) -> Traits:
    """Run the service on every photo and its mirror image."""
    counts: list[Counted] = []
    same = dict.fromkeys(TRAITS, 0)
    faces = 0
    for photo in photos:
        picture = as_it_is(photo)[0]
        analysed = face_analyze(Request(image=picture)).faces
        if photo.men is not None and photo.women is not None and len(analysed) == photo.faces:
            genders = [face.gender for face in analysed]
            counts.append(
                Counted(photo.name, photo.men, photo.women, genders.count("man"), genders.count("woman")),
            )
        faces += len(analysed)
        for answer, other in zip(analysed, _mirrored_faces(mirrored(picture), analysed), strict=True):
            for trait in TRAITS:
                same[trait] += getattr(answer, trait) == getattr(other, trait)
    return Traits(tuple(counts), {trait: Share(same[trait], faces) for trait in TRAITS})


def _mirrored_faces(mirror: Picture, faces: Iterable[Face]) -> tuple[Face, ...]:
    """Analyze the same faces in the mirror image of their picture."""
    width = mirror.size[0]
    areas = tuple(
        Area(x=width - face.area.x - face.area.width, y=face.area.y, width=face.area.width, height=face.area.height)
        for face in faces
    )
    return face_analyze(Request(image=mirror, areas=areas)).faces
