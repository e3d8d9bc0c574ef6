"""Compiling what callers send: in a process that is ended when it takes too long."""

import asyncio

import pytest

from gateway.api.problems import Problem
from gateway.catalogue import isolated_compile
from gateway.catalogue.isolated_compile import IsolatedCompiler
from streams.compile import compile_pipeline
from tests.unit.streams.compiling import CONTRACTS

TEXT = 'pipeline: p\ninput: {n: int}\nnodes: {c: {service: calc, with: {x: "${n}"}}}\noutput: {v: "${c.v}"}\n'
OUTER = 'pipeline: q\ninput: {n: int}\nnodes: {c: {pipeline: p, with: {n: "${n}"}}}\noutput: {v: "${c.v}"}\n'


def test_a_definition_is_compiled_elsewhere_as_it_is_here() -> None:
    """The same topology, also of one that uses others; the same problems."""

    async def main() -> None:
        made = IsolatedCompiler()
        try:
            whole = compile_pipeline(TEXT, CONTRACTS, {}, "p.yaml")
            assert await made.compiled(TEXT, CONTRACTS, {}, "p.yaml") == whole
            assert (await made.compiled(OUTER, CONTRACTS, {"p": TEXT, "broken": "]"}, "q.yaml")).name == "q"
            with pytest.raises(Problem) as refused:
                await made.compiled(TEXT.replace("${n}", "${m}"), CONTRACTS, {}, "p.yaml")
            assert refused.value.kind.status == 422
            assert "unknown name 'm'" in str(refused.value.errors[0])
        finally:
            await made.stop()

    asyncio.run(main())


def test_a_definition_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is ended, and the next definition gets another."""

    async def main() -> None:
        made = IsolatedCompiler()
        try:
            await made.compiled(TEXT, CONTRACTS, {}, "p.yaml")
            nodes = "\n".join(f'  c{n}: {{value: "${{n + {n}}}"}}' for n in range(3000))
            long = f"pipeline: p\ninput: {{n: int}}\nnodes:\n{nodes}\noutput: {{r: 1}}\n"
            monkeypatch.setattr(isolated_compile, "_SECONDS", 0.05)
            with pytest.raises(Problem) as refused:
                await made.compiled(long, CONTRACTS, {}, "p.yaml")
            assert refused.value.kind.status == 422
            assert "took longer than 0.05 s" in str(refused.value.errors[0])
            monkeypatch.setattr(isolated_compile, "_SECONDS", 60.0)
            assert (await made.compiled(TEXT, CONTRACTS, {}, "p.yaml")).name == "p"
        finally:
            await made.stop()

    asyncio.run(main())
