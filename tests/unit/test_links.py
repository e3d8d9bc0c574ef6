"""Every link of a page, and every page that code, tests or messages name, exists."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = {".py", ".toml", ".yml", ".yaml", ".avsc", ".html", ".md", ".java", ".sh", ""}
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_CODE = re.compile(r"`((?:schemas|streams|agents|gateway|infra|training|tests)/[\w/.-]+)`")
_NAMED = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w")


def name(page: Path) -> str:
    """A page as the project names it."""
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tracked() -> list[Path]:
    """The project's own text files: what git knows, or every source file where there is no git."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listing.stdout.splitlines() if listing.returncode == 0 else []
    files = [ROOT / file for file in names] or [file for file in ROOT.rglob("*") if ".venv" not in file.parts]
    return [file for file in files if file.suffix in SOURCES and file.is_file()]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file of the project, and its anchor a heading there."""
    broken = []
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    """A path of the code in backticks is one of the project; the README's service is yet to be written."""
    paths = set(_CODE.findall(page.read_text(encoding="utf-8"))) - {"agents/services/image_turn.py"}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_page_that_the_code_names_exists() -> None:
    """Messages, comments and tests name pages as `docs/…`: people look for exactly that."""
    missing = {
        f"{file.relative_to(ROOT)}: {path}"
        for file in tracked()
        for path in _NAMED.findall(file.read_text(encoding="utf-8", errors="replace"))
        if not (ROOT / path).exists()
    }
    assert missing == set()


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to each page of docs; decisions and models have lists of their own."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in _LINK.findall(index.read_text(encoding="utf-8"))}
    listed = [
        page
        for page in PAGES
        if page.parent.parent == ROOT / "docs" and page.parent.name not in {"decisions", "models"}
    ]
    assert listed
    assert [name(page) for page in listed if page not in linked] == []


def test_every_decision_is_in_the_list() -> None:
    """docs/decisions/README.md has a line for each decision."""
    folder = ROOT / "docs" / "decisions"
    listed = set(_LINK.findall((folder / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in folder.glob("[0-9]*.md")} == listed
