"""What is wrong with tests is said like what is wrong with the pipeline: all at once, each at its place."""

from pathlib import Path

import pytest

from tests.unit.streams.testing.cases.given import PIPELINE, problems, suite

CASES: dict[str, tuple[str, list[str]]] = {
    "no list": ("  x: 1\n", ["1:3 tests: tests is a list (- name: what must hold)"]),
    "the form of a test": (
        """\
  - 5
  - {input: {photo: image:x}}
  - {name: a, input: {photo: image:x}, mokc: {}, weather: bad}
  - {name: a, input: {photo: image:x}}
""",
        [
            "1:5 tests[0]: a test is a mapping ({name: …, input: {…}, mock: {…}, expect: {…}})",
            "2:5 tests[1]: a test needs a name (say what must hold)",
            "3:46 tests[2].mokc: unknown key 'mokc' (did you mean 'mock'?)",
            "3:59 tests[2].weather: weather is any or fair, not 'bad'",
            "4:12 tests[3].name: another test has the name 'a' (choose another)",
        ],
    ),
    "inputs": (
        """\
  - {name: a, input: {photo: x.jpg, n: 0, m: 1}}
  - {name: b, input: {n: two}}
  - {name: c, input: {photo: "${n}", n: 1}}
  - {name: d, input: {photo: image:x, n: "${1 + 1}"}}
""",
        [
            (
                "1:30 tests[0].input.photo: string is given, image is expected"
                " (write file:PATH for a file beside this one, or image:NAME for one that nobody looks into)"
            ),
            "1:40 tests[0].input.n: must be at least 1, got 0",
            "1:46 tests[0].input.m: the pipeline has no input 'm' (there is n, photo)",
            "2:5 tests[1]: the pipeline needs photo (image) (add photo to `input:`)",
            '2:26 tests[1].input.n: string is given, int is expected (this is a text; "${…}" is an expression)',
            "3:33 tests[2].input.photo: unknown name 'n'",
            "4:42 tests[3].input.n: an input is written out, not computed ($${ stands for ${)",
        ],
    ),
    "mocks of no service": (
        """\
  - name: a
    input: {photo: image:x}
    mock: {aa: {}, d: 1, many: {}, "a[0]": {}, "many[1].b": {v: 1}, "many.b[0]": {v: 1}, c: []}
""",
        [
            "3:16 tests[0].mock.aa: there is no node 'aa' (did you mean 'a'?)",
            "3:23 tests[0].mock.d: d is no service, and only services are mocked (it is computed, and needs no mock)",
            "3:32 tests[0].mock.many: many is no service, and only services are mocked (mock the services in it: many.b)",
            "3:44 tests[0].mock.a[0]: 'a[0]' gives a position to a, which is not a loop around the node",
            "3:82 tests[0].mock.many.b[0]: 'many.b[0]' gives a position to many.b, which is not a loop around the node",
            "3:93 tests[0].mock.c: an empty list answers nothing (leave the mock out, or give an answer)",
        ],
    ),
    "mocks against the contract": (
        """\
  - name: a
    input: {photo: image:x}
    mock:
      a: {faces: [{area: {x: left, z: 1}, score: high}], modell: x}
      many.b: [{v: 1.5}, [{v: 1}, [{v: 1}]]]
      c: {v: "${given.y + given.z}", items: "${m}"}
""",
        [
            '4:30 tests[0].mock.a.faces[0].area.x: string is given, int is expected (this is a text; "${…}" is an expression)',
            (
                "4:39 tests[0].mock.a.faces[0].area.z: z is too much: {x: int, y: int, width: int, height: int} is expected"
                " (there is height, width, x, y)"
            ),
            '4:50 tests[0].mock.a.faces[0].score: string is given, float is expected (this is a text; "${…}" is an expression)',
            (
                "4:66 tests[0].mock.a.modell: modell is too much: {faces: [{area: {x: int, y: int, width: int, height: int},"
                " score: float}], model: string or null} is expected (did you mean 'model'?)"
            ),
            "5:20 tests[0].mock.many.b[0].v: float is given, int is expected (write a whole number)",
            (
                "5:36 tests[0].mock.many.b[1][1][0]: lists in lists 3 deep, for a node in 1 loops"
                " (the innermost list is for attempts)"
            ),
            "6:32 tests[0].mock.c.v: undefined field 'z' of {x: int, y: int} (there is x, y)",
            "6:48 tests[0].mock.c.items: unknown name 'm' (there is given, n, photo)",
        ],
    ),
    "injected failures": (
        """\
  - name: a
    input: {photo: image:x}
    mock:
      a: {fail: "", fault: bad, attempts: 0, then: {}}
      c: {fail: x, attempts: 1}
      many.b: {fail: x, then: {v: 1}}
""",
        [
            "4:17 tests[0].mock.a.fail: fail is the reason, a text (fail: the disk is full)",
            "4:28 tests[0].mock.a.fault: 'bad' is no fault (there is caller, pipeline, service)",
            "4:43 tests[0].mock.a.attempts: attempts is how often it fails, a whole number from 1",
            "5:10 tests[0].mock.c: attempt 2 of 2 has no answer (add `then:` with what it gives)",
            "6:31 tests[0].mock.many.b.then: nothing comes after a failure that never ends (say `attempts:`)",
        ],
    ),
    "expectations": (
        """\
  - name: a
    input: {photo: image:x}
    expect: {many: 1, dd: 2, d: "${nn}", skipped: [cc, c], failure: {fault: bad, at: x, whose: 1, reason: 2}}
  - {name: b, input: {photo: image:x}, expect: {output: {d: x}, skiped: []}}
  - {name: c, input: {photo: image:x}, expect: {skipped: c, failure: 1}}
  - {name: d, input: {photo: image:x}, expect: 1}
""",
        [
            "3:20 tests[0].expect.many: int is given, [int] is expected (a list is expected: [x] makes one)",
            "3:27 tests[0].expect.dd: the pipeline's output has no field 'dd' (did you mean 'd'?)",
            "3:36 tests[0].expect.d: unknown name 'nn' (did you mean 'n'?)",
            "3:52 tests[0].expect.skipped[0]: there is no node 'cc' (did you mean 'c'?)",
            "3:69 tests[0].expect.failure: a run that fails gives no output (expect one of the two)",
            "3:77 tests[0].expect.failure.fault: 'bad' is no fault (there is caller, pipeline, service)",
            "3:86 tests[0].expect.failure.at: there is no node 'x' (there is a, c, d, many, many.b)",
            "3:96 tests[0].expect.failure.whose: unknown key 'whose' (there is at, fault, reason)",
            "3:107 tests[0].expect.failure.reason: reason is a text",
            '4:61 tests[1].expect.output.d: string is given, int is expected (this is a text; "${…}" is an expression)',
            "4:73 tests[1].expect.skiped: unknown key 'skiped' (did you mean 'skipped'?)",
            "5:58 tests[2].expect.skipped: skipped is a list of nodes (skipped: [blur])",
            "5:70 tests[2].expect.failure: failure is a mapping (failure: {fault: service, reason: …, at: blur})",
            "6:48 tests[3].expect: expect is a mapping (expect: {image: …, skipped: [blur]})",
        ],
    ),
    "pictures": (
        """\
  - {name: a, input: {photo: file:none.png}}
  - {name: b, input: {photo: file:/etc/hostname}}
  - {name: c, input: {photo: "image:"}}
  - {name: d, input: {photo: file:text.txt}}
""",
        [
            "1:30 tests[0].input.photo: FOLDER/none.png cannot be read: No such file or directory",
            "2:30 tests[1].input.photo: '/etc/hostname' is no path beside the pipeline's file (such as file:fixtures/face.jpg)",
            "3:30 tests[2].input.photo: image: without a name (such as image:blurred)",
            (
                "4:30 tests[3].input.photo: text.txt: the content is no picture of a known format"
                " (send one of jpeg, png, webp, gif, bmp, tiff; the file's name does not matter)"
            ),
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_every_problem_is_reported_at_its_place(text: str, expected: list[str], tmp_path: Path) -> None:
    """All that is wrong with the tests of a file is said at once, with line, column, place and what to do."""
    (tmp_path / "text.txt").write_text("no picture")
    found = [one.replace(str(tmp_path), "FOLDER") for one in problems(text, folder=tmp_path)]
    assert found == expected


def test_problems_of_the_pipeline_do_not_hide_those_of_its_tests() -> None:
    """Both are said at once; of a node that is wrong itself, its mocks are not said to be wrong too."""
    pipeline = PIPELINE.replace("service: detect", "service: detct")
    found = suite("  - {name: a, input: {photo: image:x, m: 1}, mock: {a: {}, cc: {}}}\n", pipeline).problems
    assert [(one.where, one.problem) for one in found] == [
        ("nodes.a.service", "unknown service 'detct'"),
        ("tests[0].input.m", "the pipeline has no input 'm'"),
        ("tests[0].mock.cc", "there is no node 'cc'"),
    ]


def test_tests_are_no_part_of_the_topology() -> None:
    """The digest of a pipeline does not hang on its tests."""
    one, other = suite("  - {name: a, input: {photo: image:x}}\n"), suite("  []\n")
    assert one.topology is not None
    assert other.topology is not None
    assert one.topology.digest == other.topology.digest
