"""Running tests: mocks, failures that are injected, skips, and what a test says that does not hold."""

import hashlib
from pathlib import Path

import pytest

from streams.testing.cases.suite import run
from tests.unit.streams.testing.cases.given import PIPELINE, outcome, said, suite

PNG = b"\x89PNG\r\n\x1a\n" + b"not looked into"

HOLDS = {
    "the whole output": """\
  - name: x
    input: {photo: image:x, n: 5}
    mock: {a: {faces: [{}, {}]}, many.b: {v: 7}, c: {v: 9}}
    expect: {many: [7, 7], c: 9, d: 6, photo: "${photo}", skipped: []}
""",
    "a part of it": "  - {name: x, input: {photo: image:x}, mock: {a: {faces: []}}, expect: {d: 3}}\n",
    "expressions over inputs, their defaults and nodes": """\
  - name: x
    input: {photo: image:x}
    mock: {a: {faces: []}}
    expect: {d: "${n + 1}", many: "${a.faces.map(f, 1)}", photo: image:x}
""",
    "nothing but that it ends well": "  - {name: x, input: {photo: image:x}, mock: {a: {faces: []}}}\n",
    "skips": "  - {name: x, input: {photo: image:x}, mock: {a: {faces: []}}, expect: {c: 0, skipped: [c]}}\n",
    "an answer for each item": """\
  - name: x
    input: {photo: image:x}
    mock: {a: {faces: [{}, {}, {}]}, many.b: [{v: 1}, {v: 2}, {v: 3}]}
    expect: {many: [1, 2, 3]}
""",
    "an answer for one item, another for the rest": """\
  - name: x
    input: {photo: image:x}
    mock: {a: {faces: [{}, {}, {}]}, many.b: {v: 0}, "many[1].b": {v: 5}}
    expect: {many: [0, 5, 0]}
""",
    "an answer that is computed": """\
  - name: x
    input: {photo: image:x, n: 4}
    mock: {a: {faces: [{}, {}]}, many.b: {v: "${given.x * 10 + n}"}, c: {v: "${given.x}"}}
    expect: {many: [4, 14], c: 4}
""",
    "a failure that is retried": """\
  - name: x
    input: {photo: image:x, n: 3}
    mock: {a: {fail: away, attempts: 2, then: {faces: []}}, c: {fail: away, attempts: 1, then: {v: 1}}}
    expect: {c: 1}
""",
    "answers for attempts": """\
  - name: x
    input: {photo: image:x, n: 3}
    mock:
      a: [{fail: away}, {fail: away}, {faces: [{}, {}]}]
      many.b: [{v: 1}, [{fail: away}, {v: 2}]]
      c: {v: 3}
    expect: {many: [1, 2]}
""",
    "a failure": """\
  - name: x
    input: {photo: image:x}
    mock: {a: {fail: the disk is full}}
    expect: {failure: {fault: service, reason: disk, at: a}}
""",
    "a failure of one item": """\
  - name: x
    input: {photo: image:x}
    mock: {a: {faces: [{}, {}]}, many.b: [{v: 1}, {fail: no, fault: caller}]}
    expect: {failure: {fault: caller, at: "many[1].b"}}
""",
    "any failure": "  - {name: x, input: {photo: image:x}, mock: {a: {fail: no}}, expect: {failure: {}}}\n",
    "what fails in fair weather only": "  - {name: x, weather: fair, input: {photo: image:x}, mock: {a: {faces: []}}}\n",
}


@pytest.mark.parametrize("test", HOLDS.values(), ids=HOLDS.keys())
def test_a_test_that_holds(test: str) -> None:
    """It holds in every weather."""
    made = outcome(test)
    assert made.problems == ()
    assert made.passed
    assert made.weathers == (1 if "weather: fair" in test else 7)


FAILS = {
    "another output": (
        (
            "  - {name: x, input: {photo: image:x}, mock: {a: {faces: [{}]}, many.b: {v: 1}},"
            " expect: {many: [2, 3], d: 4, photo: image:y}}\n"
        ),
        [
            "tests[0].expect.many[0]: expected 2, got 1",
            "tests[0].expect.many[1]: expected 3, got nothing",
            "tests[0].expect.d: expected 4, got 3",
            'tests[0].expect.photo: expected "image:y", got "image:x"',
        ],
    ),
    "no mock": (
        "  - {name: x, input: {photo: image:x}, mock: {a: {faces: [{}]}}}\n",
        ["tests[0].mock: many[0].b calls calc, which has no mock (mock: {many.b: {v: …, items: …}})"],
    ),
    "too few answers": (
        "  - {name: x, input: {photo: image:x}, mock: {a: {faces: [{}, {}]}, many.b: [{v: 1}]}}\n",
        [
            (
                "tests[0].mock.many.b: many[1].b is called, and the list of answers ends at 0"
                " (add one, or give one answer for all)"
            )
        ],
    ),
    "an answer that cannot be computed": (
        '  - {name: x, input: {photo: image:x}, mock: {a: {faces: "${[][0]}"}}}\n',
        ["tests[0].mock.a: [][0]: Index error: index=0 size=0"],
    ),
    "a skip that was not expected": (
        "  - {name: x, input: {photo: image:x}, mock: {a: {faces: []}}, expect: {skipped: [d]}}\n",
        [
            "tests[0].expect.skipped[0]: d was not skipped (skipped were: c)",
            "tests[0].expect.skipped: c was skipped too: when: n > 2 is false",
        ],
    ),
    "a failure that was not expected": (
        "  - {name: x, input: {photo: image:x}, mock: {a: {fail: full, fault: caller}}, expect: {d: 3}}\n",
        ["tests[0]: the run failed: caller at a: full (expect.failure if it should)"],
    ),
    "no failure": (
        "  - {name: x, input: {photo: image:x}, mock: {a: {faces: []}}, expect: {failure: {}}}\n",
        [
            (
                "tests[0].expect.failure: expected a failure, the run finished with"
                ' {"many": [], "c": 0, "d": 3, "photo": "image:x"}'
            )
        ],
    ),
    "another failure": (
        (
            "  - {name: x, input: {photo: image:x}, mock: {a: {fail: full}},"
            " expect: {failure: {fault: caller, reason: empty, at: c}}}\n"
        ),
        [
            "tests[0].expect.failure.fault: expected caller, got service at a: full",
            "tests[0].expect.failure.reason: expected a reason with 'empty', got service at a: full",
            "tests[0].expect.failure.at: expected a failure at c, got service at a: full",
        ],
    ),
    "an expectation that reads what was skipped": (
        '  - {name: x, input: {photo: image:x}, mock: {a: {faces: []}}, expect: {c: "${c.v}"}}\n',
        ["tests[0].expect.c: this reads c, which gave no value in this run"],
    ),
}


@pytest.mark.parametrize(("test", "expected"), FAILS.values(), ids=FAILS.keys())
def test_a_test_that_fails(test: str, expected: list[str]) -> None:
    """It says every difference, at its place, with both sides."""
    assert said(test) == expected


def test_a_failure_in_bad_weather_says_its_seed() -> None:
    """A pipeline whose result hangs on what comes first holds in fair weather only, and the seed brings the other back."""
    pipeline = """\
pipeline: p
input: {n: int}
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
  c: {value: "${first(a.v, b.v)}", wait: any}
output: {r: "${c}"}
"""
    test = "  - {name: x, input: {n: 1}, mock: {a: {v: 1}, b: {v: 2}}, expect: {r: 1}}\n"
    made = outcome(test, pipeline, storms=100)
    assert not made.passed
    assert made.seed is not None
    assert [str(one).partition(": ")[2] for one in made.problems] == ["tests[0].expect.r: expected 1, got 2"]
    again = suite(test, pipeline)
    assert run(again, again.ready[0], made.seed, 1).problems == made.problems


def test_nodes_of_an_inlined_pipeline_are_mocked_by_their_path() -> None:
    """What stands in a pipeline inside is mocked, skipped and expected to fail as any other node."""
    inner = "pipeline: inner\ninput: {x: int}\nnodes: {s: {service: calc, with: {x: '${x}'}}}\noutput: {r: '${s.v}'}\n"
    outer = """\
pipeline: p
input: {n: int}
nodes: {i: {pipeline: inner, with: {x: "${n}"}}}
output: {r: "${i.r}"}
"""
    test = "  - {name: x, input: {n: 1}, mock: {i.s: {v: 8}}, expect: {r: 8}}\n"
    assert outcome(test, outer, inner=inner).problems == ()


def test_branches_repeats_and_what_is_left_out(tmp_path: Path) -> None:
    """A side of a branch, and each round of a repeat, have their own answers."""
    pipeline = """\
pipeline: p
input: {n: int}
nodes:
  i: {if: n > 1, then: {nodes: {s: {service: calc, with: {x: 1}}}, output: "${s.v}"}, else: {output: 0}}
  r: {repeat: {k: 0}, nodes: {s: {service: calc, with: {x: "${k}"}}}, next: {k: "${s.v}"}, max: 3, output: "${s.v}"}
output: {i: "${i}", r: "${r}"}
"""
    test = "  - {name: x, input: {n: 2}, mock: {i.then.s: {v: 4}, r.s: [{v: 1}, {v: 2}, {}]}, expect: {i: 4, r: 0}}\n"
    assert outcome(test, pipeline).problems == ()


def test_a_picture_in_a_file_is_a_reference_by_its_content(tmp_path: Path) -> None:
    """The file's hash, size and true media type; the same content under another name is the same picture."""
    (tmp_path / "a.jpg").write_bytes(PNG)
    (tmp_path / "b").write_bytes(PNG)
    test = "  - {name: x, input: {photo: file:a.jpg}, mock: {a: {faces: []}}, expect: {photo: file:b}}\n"
    made = suite(test, folder=tmp_path)
    assert made.problems == ()
    (ready,) = made.ready
    photo = ready.input["photo"]
    assert (photo["sha256"], photo["size"]) == (hashlib.sha256(PNG).hexdigest(), len(PNG))
    assert photo["media_type"] == "image/png"
    assert run(made, ready, 0).passed


def test_fields_that_a_mock_leaves_out_are_filled_in() -> None:
    """Required fields get an empty value of their type within their bounds, optional ones null: the contract holds."""
    made = suite("  - {name: x, input: {photo: image:x}, mock: {a: {faces: [{}]}, many.b: {}}}\n", PIPELINE)
    assert run(made, made.ready[0], 0).problems == ()
