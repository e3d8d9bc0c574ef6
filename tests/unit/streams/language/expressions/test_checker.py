"""Types of expressions."""

import pytest

from streams.language.expressions.checker import Checker
from streams.language.expressions.expression import BadExpression
from streams.language.types import (
    ANY,
    BOOL,
    BYTES,
    FLOAT,
    IMAGE,
    INT,
    NULL,
    STRING,
    Field,
    Kind,
    Type,
    list_of,
    record_of,
)

AREA = Type(Kind.RECORD, fields=(Field("x", INT), Field("y", INT)), name="Area")
FACE = Type(Kind.RECORD, fields=(Field("area", AREA), Field("score", FLOAT)), name="Face")
NAMES = {
    "n": INT,
    "f": FLOAT,
    "s": STRING,
    "b": BOOL,
    "raw": BYTES,
    "photo": IMAGE,
    "thing": ANY,
    "faces": list_of(FACE),
    "face": FACE,
    "grid": list_of(list_of(INT)),
    "words": Type(Kind.MAP, item=STRING),
    "maybe": Type(Kind.STRING, optional=True),
    "deep": record_of(
        {"grid": list_of(list_of(INT)), "map": Type(Kind.MAP, item=INT), "maps": Type(Kind.MAP, item=AREA)}
    ),
    "e5": INT,
    "strings": list_of(STRING),
}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("n + 1", INT),
        ("f * 2.0", FLOAT),
        ("n > 1 && f < 2.0", BOOL),
        ("s + 'x'", STRING),
        ("strings.quote(s)", STRING),
        ("strings.map(x, strings.quote(x))", list_of(STRING)),
        ("raw", BYTES),
        ("photo", IMAGE),
        ("photo.size", INT),
        ("photo.media_type.startsWith('image/')", BOOL),
        ("null", NULL),
        ("thing.anything[3]", ANY),
        ("faces", list_of(FACE)),
        ("faces[0]", FACE),
        ("faces.map(f, f.area)", list_of(AREA)),
        ("faces.filter(q, q.score > 0.5).map(q, q.area.x)", list_of(INT)),
        ("faces.exists(q, q.score > 0.5)", BOOL),
        ("[1, 2]", list_of(INT)),
        ("grid[0][0] + 1", INT),
        ("{'a': 1}", Type(Kind.MAP, item=INT)),
        ("words.a", STRING),
        ("words['a']", STRING),
        ("deep.grid", ANY),
        ("deep.map['k'] + 1", INT),
        ("deep.maps['k'].x", INT),
        ("first(n, 3)", INT),
        ("first(face.area, faces[0].area).x", INT),
        ("maybe == null", BOOL),
        ("size(faces) > 0 ? faces[0].area.x : 0", INT),
        ("1e5 + f", FLOAT),
        ("e5 + 1", INT),
        ("has(face.area)", BOOL),
        ("face.area == faces[0].area", BOOL),
    ],
)
def test_every_expression_has_a_type(text: str, kind: Type) -> None:
    """Fields, lists, comprehensions and choices are typed from the names that they read."""
    assert Checker().check(text, NAMES) == kind


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("face.aera", "undefined field 'aera' of {area: {…}", 4),
        ("n + f", "'+' cannot be applied to (int, float)", 2),
        ("n + s", "'+' cannot be applied to (int, string)", 2),
        ("first(face, faces[0]).nose", "undefined field 'nose'", 21),
        ("b ? 1 : 's'", "cannot be applied to (bool, int, string)", 2),
        ("unknown(n)", "undeclared reference to 'unknown'", 7),
        ("faces.map(f, f.area.z)", "undefined field 'z' of {x: int", 19),
        ("e5 + 's'", "'+' cannot be applied to (int, string)", 3),
    ],
)
def test_a_mistake_is_reported_in_the_authors_words(text: str, message: str, offset: int) -> None:
    """The message speaks of the names that were written, and the offset counts what was written."""
    with pytest.raises(BadExpression) as caught:
        Checker().check(text, NAMES)
    assert message in str(caught.value)
    assert caught.value.offset == offset


def test_one_checker_learns_many_types() -> None:
    """Records of one name and different fields are told apart; the same record is known again."""
    checker = Checker()
    other = Type(Kind.RECORD, fields=(Field("z", STRING),), name="Area")
    assert checker.check("a.x", {"a": AREA}) == INT
    assert checker.check("a.z", {"a": other}) == STRING
    assert checker.check("[a, b]", {"a": AREA, "b": AREA}) == list_of(AREA)
    with pytest.raises(BadExpression):
        checker.check("a.z", {"a": AREA})


def test_a_name_may_be_bound_again_inside() -> None:
    """A comprehension may use a name that also stands outside."""
    assert Checker().check("[face].map(face, face.area.x)", {"face": FACE}) == list_of(INT)
