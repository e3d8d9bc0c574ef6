"""Compile in a process that can be killed: only plain values go there and back."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.contracts import Contract
from streams.compile.pipeline import compile_pipeline
from streams.errors import PipelineErrors
from streams.language.definition.model import PipelineSpec
from streams.language.definition.parse import parse


class Library(Mapping[str, PipelineSpec]):
    """Pipelines by name as their authors wrote them, parsed on access."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, name: str) -> PipelineSpec:
        try:
            return parse(self._texts[name], f"{name}.yaml")
        except PipelineErrors as error:  # it was compiled once, by an older release
            raise KeyError(name) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def compiled(
    text: str, contracts: Mapping[str, Contract], library: Mapping[str, str], file: str
) -> bytes | list[dict[str, Any]]:
    """Compile a definition; return the topology as JSON, or every problem in the form of `Problem.to_json`."""
    try:
        return compile_pipeline(text, contracts, Library(library), file).to_json()
    except PipelineErrors as error:
        return [problem.to_json() for problem in error.problems]
