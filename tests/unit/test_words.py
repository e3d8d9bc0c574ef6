"""Plain English: words and phrases that pages, docstrings, comments and messages do not use, with the better word beside each."""

import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BETTER: Mapping[str, str] = {
    r"anew": "again",
    r"whoever|whomever": "name who it is: the caller, the worker that …",
    r"(?<!there )(?:is|are|was) none": "is not valid, is not one, does not exist",
    r"(?:that|which) (?:is|are|was) no(?! longer| more| less)": "that is not a …",
    r"no more(?=[.,;:)]|$)": "no longer",
    r"told(?! apart)": "notified, reported, shown, sent",
    r"tells? of": "reports, describes",
    r"bears?|borne": "handle, tolerate, accept",
    r"(?:is|are|was|were|be|been) away": "is unavailable, is down",
    r"left away": "left out",
    r"for ever": "forever",
    r"under way": "in progress, running",
    r"(?:goes|went) on": "continues",
    r"(?:stands?|stood) (?:in|on|beside|before|behind|there)": "is in, is on",
    r"otherwise than": "differently from",
    r"at the most": "at most",
    r"(?:in|into|inside) one another": "nested",
    r"said again": "repeated",
    r"comes? along": "is included",
    r"hither|thither|thereof|therein|whereof|whereupon|wherein": "use plain prepositions",
}
"""Regular expressions, matched as whole words, and what to write instead."""

PATTERN = re.compile(rf"\b(?:{'|'.join(BETTER)})(?!\w)", re.MULTILINE)

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "training").rglob("*.md")])
"""Those below `training` are the templates of model cards."""

PACKAGES = ("schemas", "streams", "agents", "gateway", "infra", "training")


def folders() -> list[str]:
    """Every folder with modules whose texts must be plain."""
    modules = (module for package in PACKAGES for module in (ROOT / package).rglob("*.py"))
    return sorted({str(module.parent.relative_to(ROOT)) for module in modules})


def better(text: str) -> list[str]:
    """Each word of the text that is not used here, with what to write instead."""
    return [f"{match[0]!r}: write {_advice(match[0])!r}" for match in PATTERN.finditer(text)]


def _advice(words: str) -> str:
    return next(advice for pattern, advice in BETTER.items() if re.match(rf"(?:{pattern.partition('(?=')[0]})", words))


def prose(module: Path) -> Iterator[tuple[int, str]]:
    """The comments and texts of a module, docstrings and messages among them, with their lines."""
    source = module.read_text(encoding="utf-8")
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in kinds:
            yield token.start[0], token.string


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_plain(page: Path) -> None:
    """Pages use the common word; code in them may use any."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {problem}" for number, line in enumerate(lines, 1) for problem in better(line)] == []


@pytest.mark.parametrize("folder", folders())
def test_code_is_plain(folder: str) -> None:
    """So do docstrings, comments and messages."""
    found = [
        f"{module.relative_to(ROOT)}:{line}: {problem}"
        for module in sorted((ROOT / folder).glob("*.py"))
        for line, text in prose(module)
        for problem in better(text)
    ]
    assert found == []
