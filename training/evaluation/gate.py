"""The gate: compare a candidate with the champion by their answers to the same test data. Pure functions."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import Self

RISK = 0.05
"""Probability that a candidate as good as the champion is refused by chance."""

_Z = 1.959964


@dataclass(frozen=True)
class Verdict:
    """The verdict of the gate."""

    passed: bool
    text: str
    """The reason, in one or two sentences with the figures."""
    lost: tuple[str, ...] = ()
    """Classes that the champion knows and the candidate does not."""


@dataclass(frozen=True)
class Leave:
    """Permissions of an ordered model."""

    promote: bool = True
    """Whether it serves when it passes; else it is only registered."""
    fewer: bool = False
    """Whether it may serve although it knows fewer classes than the champion, and answers the others wrongly."""


USUAL = Leave()


@dataclass(frozen=True)
class Pairs:
    """Counts of the same examples by which of two models has them right."""

    both: int = 0
    """Examples that both have right."""
    candidate: int = 0
    """Examples that only the candidate has right."""
    champion: int = 0
    """Examples that only the champion has right."""
    neither: int = 0

    @classmethod
    def count(cls, candidate: Iterable[bool], champion: Iterable[bool]) -> Self:
        """Count the examples by which of two models has them right."""
        counts = Counter(zip(candidate, champion, strict=True))
        return cls(counts[True, True], counts[True, False], counts[False, True], counts[False, False])

    @property
    def of(self) -> int:
        """Number of examples."""
        return self.both + self.candidate + self.champion + self.neither

    @property
    def worse(self) -> float:
        """The probability (0 to 1) of this many or more examples that only the champion has right, if both models were equally good.

        McNemar's test, exact and one-sided: of the examples on which they differ, each would be as likely either's.
        """
        differ = self.candidate + self.champion
        return sum(comb(differ, count) for count in range(self.champion, differ + 1)) / (1 << differ)


def interval(right: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; `of` is at least 1."""
    share = right / of
    middle, half = share + _Z**2 / (2 * of), _Z * sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    return (middle - half) / (1 + _Z**2 / of), (middle + half) / (1 + _Z**2 / of)


def paired(examples: Mapping[str, Pairs], unclaimed: Sequence[str] = ()) -> Verdict:
    """Judge a classifier by the examples of each class that the candidate claims to know.

    It is refused when it is worse than the champion on all of them together, or on any one class, by more than chance
    explains: at RISK, shared among the comparisons (Bonferroni). `unclaimed` are classes that the champion knows and the
    candidate does not: what is lost is said, and `allowed` decides what follows. Raises ValueError without examples.
    """
    whole = Pairs(*(sum(values) for values in zip(*(_counts(example) for example in examples.values()), strict=True)))
    if not whole.of:
        raise ValueError("a gate needs examples to compare on")
    lost = f" It does not know {', '.join(unclaimed)}, which the champion does." if unclaimed else ""
    level = RISK / (1 + len(examples))
    shares = f"the candidate has {_share(whole.both + whole.candidate, whole.of)} right, the champion {_share(whole.both + whole.champion, whole.of)}"
    differ = f"{whole.candidate} are right by the candidate alone, {whole.champion} by the champion alone"
    for name, pairs in {"what it claims": whole, **examples}.items():
        if pairs.worse < level:
            where = (
                f"on {name}"
                if pairs is whole
                else f"on {name} ({pairs.candidate} against {pairs.champion} that one alone has right)"
            )
            return Verdict(
                False,
                f"Refused: worse than the champion {where} by more than chance explains (McNemar, one-sided p = {pairs.worse:.2g}, "
                f"below {level:.2g}). Of {whole.of:,} test examples {shares}; {differ}.",
            )
    return Verdict(
        True,
        f"Not worse than the champion on what it claims: of {whole.of:,} test examples {shares}; {differ} "
        f"(McNemar, one-sided p = {whole.worse:.2g}).{lost}",
        lost=tuple(unclaimed),
    )


def allowed(verdict: Verdict, leave: Leave) -> Verdict:
    """Apply the permissions to a verdict: a model that passes may still be held back, and can be promoted by hand."""
    if not verdict.passed:
        return verdict
    if not leave.promote:
        return Verdict(False, f"Held back, as it was ordered: it was not to serve. {verdict.text}", verdict.lost)
    if verdict.lost and not leave.fewer:
        reason = f"callers who send {', '.join(verdict.lost)} would be answered wrongly; order it with `fewer` to let it serve all the same"
        return Verdict(False, f"Held back: {reason}. {verdict.text}", verdict.lost)
    return verdict


def _counts(pairs: Pairs) -> tuple[int, int, int, int]:
    return pairs.both, pairs.candidate, pairs.champion, pairs.neither


def _share(right: int, of: int) -> str:
    low, high = interval(right, of)
    return f"{right:,} ({right / of:.2%}, {low:.2%} to {high:.2%})"
