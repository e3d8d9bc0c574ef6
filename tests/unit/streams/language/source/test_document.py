"""YAML text as data with the place of everything in it."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from streams.errors import PipelineErrors
from streams.language.source.document import MAX_BYTES, MAX_DEPTH, dotted, read, strings
from streams.language.source.locate import locate


def refused(text: str) -> list[str]:
    """What is wrong with a text."""
    try:
        return [str(problem) for problem in read(text, "f.yaml").problems]
    except PipelineErrors as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("12:30", "12:30"),
        ("2026-11-21", "2026-11-21"),
        ("010", 10),
        ("1_000", "1_000"),
        ("=", "="),
        ("<<", "<<"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-3", -3),
        ("+3", 3),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ('"1"', "1"),
        ("'true'", "true"),
        ("0x1F", 31),
        ("0o17", 15),
        ("0xG", "0xG"),
        ("-0x1F", "-0x1F"),
    ],
)
def test_plain_words_are_read_as_yaml_1_2_says(text: str, value: object) -> None:
    """Only the core schema: what YAML 1.1 takes for a bool, a time, a date or an octal number stays text."""
    found = read(f"a: {text}", "f.yaml").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_json_is_yaml() -> None:
    """A pipeline may be written in JSON."""
    assert read('{"a": [1, 2.5, true, null, "x\\n"]}', "f").data == {"a": [1, 2.5, True, None, "x\n"]}


def test_json_may_write_a_character_as_two_escapes() -> None:
    """As most JSON writers do with what lies past 16 bits; what only looks like it stays as it is."""
    assert read(r'{"a": "x \ud83d\uDE00\ud83d\ude01 y", "b": "\\ud83d\\ude00"}', "f").data == {
        "a": "x \U0001f600\U0001f601 y",
        "b": r"\ud83d\ude00",
    }
    assert read(r"a: '\ud83d\ude00'", "f").data == {"a": r"\ud83d\ude00"}
    assert "not YAML" in refused(r'{"a": "\ud83d"}')[0]


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "-9223372036854775809", "1e999", "9" * 5000, "0x8000000000000000"]
)
def test_a_number_that_no_value_can_hold_is_refused(number: str) -> None:
    """Where it stands, not when a run gets there."""
    (problem,) = refused(f"a:\n  b: {number}\n")
    assert problem.startswith("f.yaml:2:6: a.b: ")
    assert "is no number of 64 bits" in problem
    assert read("a: [9223372036854775807, -9223372036854775808]", "f").data == {"a": [2**63 - 1, -(2**63)]}


@pytest.mark.parametrize("number", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", ".NAN"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    """The core schema knows them; JSON, Avro and the database do not. In quotes they are texts."""
    (problem,) = refused(f"a:\n  b: {number}\n")
    assert problem.startswith(f"f.yaml:2:6: a.b: {number} is no finite number")
    assert read(f"a: '{number}'", "f").data == {"a": number}


@pytest.mark.parametrize(
    ("text", "tag", "place"),
    [
        ("value: !secret shop-token", "!secret", "1:8: value"),
        ("value: !env HOME", "!env", "1:8: value"),
        ("value: !!binary aGk=", "!!binary", "1:8: value"),
        ("value: !!str 1", "!!str", "1:8: value"),
        ("value: ! 1", "!", "1:8: value"),
        ("value: !!python/object/apply:os.system [ls]", "!!python/object/apply:os.system", "1:8: value"),
        ("a:\n  - !set {x: 1}", "!set", "2:5: a[0]"),
        ("{!key a: 1}", "!key", "1:2: a"),
        ("!all\na: 1", "!all", "1:1"),
    ],
)
def test_a_tag_is_refused(text: str, tag: str, place: str) -> None:
    """What it stands for in other files would silently not happen here; its value is not read."""
    (problem,) = refused(text)
    assert problem.startswith(f"f.yaml:{place}: ")
    assert f"YAML tags such as {tag} are not part of the language" in problem


def test_a_text_that_looks_like_a_tag_is_a_text() -> None:
    """Only a tag is one."""
    assert read("a: '!secret x'\nb: wow!\nc: \"!!str\"", "f").data == {"a": "!secret x", "b": "wow!", "c": "!!str"}


def test_every_value_has_its_mark() -> None:
    """Lines and columns count from 1 and stand where the value begins."""
    source = read("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "f.yaml")
    assert source.marks == {
        (): (1, 1),
        ("a",): (2, 3),
        ("a", "b"): (2, 6),
        ("a", "c"): (4, 5),
        ("a", "c", 0): (4, 7),
        ("a", "c", 1): (5, 7),
        ("a", "c", 1, "d"): (5, 11),
    }


def test_a_problem_stands_at_its_place_or_around_it() -> None:
    """A place that the file does not have takes the mark of what encloses it; a whole file has none."""
    source = read("a:\n  b: 'x y'\n", "f.yaml")
    assert str(source.problem(("a", "b"), "p")) == "f.yaml:2:6: a.b: p"
    assert str(source.problem(("a", "b"), "p", "h", 2)) == "f.yaml:2:9: a.b: p (h)"
    assert str(source.problem(("a", "z", 3), "p")) == "f.yaml:2:3: a.z[3]: p"
    assert str(read("", "f.yaml").problem((), "p")) == "f.yaml: p"


def test_keys_stand_once() -> None:
    """A repeated key is refused at its second place, for every repetition at once."""
    assert refused("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        "f.yaml:2:11: b.c: the key 'c' stands here twice",
        "f.yaml:3:1: a: the key 'a' stands here twice",
    ]


def test_aliases_are_refused() -> None:
    """An alias is refused where it would stand again, so that no small file becomes a huge value."""
    (problem,) = refused("a: &x [1, 2]\nb: *x\n")
    assert "YAML aliases are not part of the language" in problem
    assert refused("a: &x\n  b: *x\n")


def test_a_key_is_a_word() -> None:
    """A list or a mapping is no key."""
    assert refused("? [a, b]\n: 1\n") == ["f.yaml:1:3: a key must be a plain word"]


def test_a_syntax_error_has_its_line_and_column() -> None:
    """A syntax error has its line and column."""
    assert refused("a: [1, 2\nb: 3\n")[0].startswith("f.yaml:2:2: not YAML:")
    assert refused("a: b: c\n")[0].startswith("f.yaml:1:5: not YAML:")
    assert refused("a: [1\n\n")[0].startswith("f.yaml:1:6: not YAML:")
    assert refused("a: 1\n---\nb: 2\n")[0].startswith("f.yaml:2:1: not YAML:")
    assert refused("a: \x00\n")[0].startswith("f.yaml: not YAML:")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_end_where_yaml_ends_them(newline: str) -> None:
    """A file of any system has the lines that its reader counts."""
    source = read(f"a: 1{newline}b: 'x y'{newline}", "f.yaml")
    assert source.marks["b",] == (2, 4)
    assert str(source.problem(("b",), "p", "", 2)) == "f.yaml:2:7: b: p"


def test_size_and_depth_are_bounded() -> None:
    """A file of more than a mebibyte, or nested too deep, is refused before anything is made of it."""
    assert refused("a: " + "x" * MAX_BYTES)[0].startswith("f.yaml: the file is larger")
    assert "nested deeper" in refused("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2))[0]


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 200_000, "- " * 200_000 + "a", "? " * 200_000])
def test_no_depth_ends_the_process(text: str) -> None:
    """The YAML library's own recursion is never entered with a text that is nested without end."""
    (problem,) = refused(text)
    assert "nested deeper than 60 levels" in problem


def test_places_are_written_with_dots() -> None:
    """Keys with dots, positions in brackets."""
    assert dotted(()) == ""
    assert dotted(("nodes", "a", "with", "areas", 0, "x")) == "nodes.a.with.areas[0].x"


def test_strings_are_found_everywhere() -> None:
    """Every string inside a value, with its place."""
    assert list(strings({"a": ["x", 1, {"b": "y"}]}, ("z",))) == [(("z", "a", 0), "x"), (("z", "a", 2, "b"), "y")]


WORDS = st.text(st.sampled_from("ab'\"\\ \n{}#:${"), min_size=1, max_size=40)


@given(text=WORDS, style=st.sampled_from(["'", '"', "|", ">", None]), width=st.sampled_from([20, 1000]))
@example("a  b", ">", 1000)
@example("it's 'x'", "'", 1000)
def test_every_character_is_found_in_the_file(text: str, style: str | None, width: int) -> None:
    """However YAML writes a string, each of its characters is placed where that character is written."""
    written = yaml.dump({"k": text}, default_style=style, width=width, allow_unicode=True)
    source = read(written, "f.yaml")
    if source.data != {"k": text}:
        return  # control characters and the like: not what this is about
    line, column = next(mark for place, mark in source.marks.items() if place == ("k",))
    for offset, character in enumerate(text):
        row, at = locate(source.lines, line, column, text, offset)
        there = source.lines[row - 1][at - 1 : at]
        assert there in (character, "\\", "") or character.isspace(), (written, offset, there)
