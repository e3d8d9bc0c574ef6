"""The examples of docs/reference/language.md and their pictures: `python -m tests.unit.pages` draws the pictures again."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.contracts import Contract, load_contracts
from streams.compile.library import shipped
from streams.language.definition.model import PipelineSpec
from streams.language.definition.parse import parse
from streams.render.mermaid import mermaid
from streams.testing.cases.suite import Suite, examine

DOCS = Path(__file__).parents[2] / "docs"
LANGUAGE = DOCS / "reference" / "language.md"
_EXAMPLE = re.compile(r"```yaml\n(?P<yaml>pipeline:.*?)```\n(?:\n```mermaid\n(?P<picture>.*?)```\n)?", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One pipeline of a page, and the picture after it."""

    spec: PipelineSpec
    picture: str

    def suite(self) -> Suite:
        """Its tests."""
        return examine(self.spec, contracts(), library())


@functools.cache
def contracts() -> Mapping[str, Contract]:
    """The services that examples call."""
    return load_contracts()


@functools.cache
def library() -> Mapping[str, PipelineSpec]:
    """What examples may contain."""
    return shipped()


def examples(page: Path = LANGUAGE) -> Iterator[Example]:
    """Every pipeline of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _EXAMPLE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Example(parse(found["yaml"], f"{page.name} from line {line}"), found["picture"] or "")


def drawn(page: Path = LANGUAGE) -> str:
    """The page with each picture as the renderer draws it now."""

    def picture(found: re.Match[str]) -> str:
        made = examine(parse(found["yaml"], page.name), contracts(), library())
        assert made.topology is not None, made.problems
        return f"```yaml\n{found['yaml']}```\n\n```mermaid\n{mermaid(made.topology)}```\n"

    return _EXAMPLE.sub(picture, page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    LANGUAGE.write_text(drawn(), encoding="utf-8")
