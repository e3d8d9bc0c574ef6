"""Pipelines of the older format: what becomes of them, what runs as before, and what has no counterpart."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from schemas.contracts import load_contracts
from schemas.validation.conform import conform
from streams.compile import compile_pipeline
from streams.legacy.convert import convert
from streams.legacy.report import NoCounterpart
from streams.testing.driver import STORM, Driver
from tests.pipelines.studio import Studio, ref

CONTRACTS = load_contracts()


def older(*nodes: Mapping[str, Any], body: Any = "image", route: str = "older", **more: Any) -> str:
    """A file with an entry, these nodes, and whatever else."""
    first = [nodes[0]["id"]] if nodes else []
    entry = {"type": "entry", "id": "entry", "api": {"route": route, "body": body}, "next": first}
    return json.dumps({"type": "pipeline", "nodes": [entry, *nodes], **more})


def node(kind: str, identity: str, to: Any = (), /, **more: Any) -> dict[str, Any]:
    """One node."""
    return {"type": kind, "id": identity, "next": [to] if isinstance(to, str) else list(to), **more}


def turned(text: str, **services: str) -> dict[str, Any]:
    """What the file becomes, as data."""
    document: dict[str, Any] = yaml.safe_load(convert(text, CONTRACTS, services))
    return document


def missing(text: str) -> list[str]:
    """What of the file has no counterpart."""
    with pytest.raises(NoCounterpart) as caught:
        convert(text, CONTRACTS)
    return [str(finding) for finding in caught.value.findings]


def output(text: str, inputs: Mapping[str, Any], people: tuple[str | None, ...] = ()) -> Any:
    """What the pipeline gives when it is run, in bad weather."""
    topology = compile_pipeline(convert(text, CONTRACTS), CONTRACTS)
    studio = Studio(people).services()
    analyze = {"image-analyze": lambda inputs: LOOKS | {"width": len(inputs["image"]["key"])}}
    return Driver(topology, {**studio, **analyze}, STORM, 3).run(conform(topology.input, inputs)).output


LOOKS = {
    "format": "png",
    "mode": "RGB",
    "width": 0,
    "height": 1,
    "bytes": 1,
    "frames": 1,
    "orientation": 1,
    "exif": {},
    "gps": None,
    "dominant_colours": [],
}

DETECT = node(
    "service", "findFaces", "hide", url="http://service-face-detection.ns/compute", input={"image": "entry.out.image"}
)
HIDE = node(
    "service",
    "hide",
    "end",
    url="http://service-area-blur.ns/compute",
    input={"image": "entry.out.image", "areas": "findFaces.out.answer"},
)


def test_services_in_a_row() -> None:
    """Addresses become services, references expressions, and the names of files the names of fields."""
    text = older(DETECT, HIDE, node("end", "end", input={"hidden.jpg": "hide.out.result"}), route="Hide Faces")
    assert turned(text) == {
        "pipeline": "hide-faces",
        "input": {"image": "image"},
        "nodes": {
            "find_faces": {"service": "face-detect", "with": {"image": "${image}"}},
            "hide": {
                "service": "image-blur",
                "with": {"image": "${image}", "areas": "${find_faces.faces.map(face, face.area)}"},
            },
        },
        "output": {"hidden": "${hide.image}"},
    }
    assert output(text, {"image": ref("party")}, ("man", "woman"))["hidden"]["key"] == "party>blur[0, 10]@0.8"


BRANCH = older(
    node("service", "look", "check", url="x/analyze", service="image-analyze", input={"image": "entry.out.image"}),
    {
        **node("branch", "check", input={"wide": "look.out.width"}),
        "if": "input.wide > 4 and not input.wide in [7, 8]",
        "then": {"next": ["convert"]},
        "else": {"next": ["ok"], "out": {"result": "entry.out.image"}},
    },
    node(
        "service",
        "convert",
        "ok",
        url="http://service-image-processing.ns/convert",
        params={"format": "webp", "quality": 50},
        input={"image": "entry.out.image", "format": "node.params.format", "quality": "node.params.quality"},
    ),
    node("node", "ok", "end", ready="check.finished or convert.finished"),
    node("end", "end", input={"image": "ok.out.result"}),
)


def test_a_branch_with_a_node_on_one_side() -> None:
    """The node stands inside the `if`, and both sides give what comes after it one name."""
    branch = turned(BRANCH)["nodes"]["check"]
    assert branch["if"] == "look.width > 4 && !((look.width in [7, 8]))"
    assert branch["then"]["nodes"]["convert"]["with"] == {"image": "${image}", "format": "webp", "quality": 50}
    assert branch["then"]["output"] == {"result": "${convert.image}"}
    assert branch["else"] == {"output": {"result": "${image}"}}


@pytest.mark.parametrize(("key", "side"), [("abcde", "abcde>webp50"), ("abc", "abc"), ("abcdefg", "abcdefg")])
def test_a_branch_goes_one_way(key: str, side: str) -> None:
    """As the condition says, and the node after both sides gets what came."""
    assert output(BRANCH, {"image": ref(key)})["image"]["key"] == side


def test_services_on_both_sides() -> None:
    """Each side has its nodes; what services that give one thing called `result` is theirs, whatever it is called here."""
    text = older(
        {
            **node("branch", "which", input={"strong": "entry.out.strong"}),
            "if": "input.strong",
            "then": "blur",
            "else": ["grey"],
        },
        node("service", "blur", "small", url="x/image-blur", input={"image": "entry.out.photo", "areas": []}),
        node("service", "small", "join", url="x/image-resize", input={"image": "blur.out.result", "width": 10}),
        node("service", "grey", "join", url="x/image-greyscale", input={"image": "entry.out.photo"}),
        node("node", "join", "end", ready="small.finished or grey.finished"),
        node("end", "end", input={"picture": "join.out.result"}),
        body=["photo", {"strong": True}],
    )
    assert turned(text)["input"] == {"photo": "image", "strong": "bool"}
    assert output(text, {"photo": ref("a"), "strong": True})["picture"]["key"] == "a>blur[]@0.8>10xNone-contain"
    assert output(text, {"photo": ref("a"), "strong": False})["picture"]["key"] == "a>grey"


def test_branches_in_branches_and_several_ends() -> None:
    """Ends on different sides are one output."""
    text = older(
        node("service", "look", "wide", service="image-analyze", input={"image": "entry.out.image"}),
        {**node("branch", "wide"), "if": "look.out.width > 3", "then": {"next": ["very"]}, "else": {"next": ["e3"]}},
        {**node("branch", "very"), "if": "look.out.width > 5", "then": {"next": ["grey"]}, "else": {"next": ["e2"]}},
        node("service", "grey", "e1", url="x/image-greyscale"),
        node("end", "e1", input={"image": "grey.out.result"}),
        node("end", "e2", input={"image": "entry.out.image"}),
        node("end", "e3", input={"image": "entry.out.image"}),
    )
    text = text.replace(
        '"url": "x/image-greyscale"', '"url": "x/image-greyscale", "input": {"image": "entry.out.image"}'
    )
    assert output(text, {"image": ref("abcdef")})["image"]["key"] == "abcdef>grey"
    assert output(text, {"image": ref("abcd")})["image"]["key"] == "abcd"
    assert output(text, {"image": ref("ab")})["image"]["key"] == "ab"


LOOP = older(
    node("service", "faces", "loop", url="http://face-detect/compute", input={"image": "entry.out.photo"}),
    {
        **node("loop", "loop", "end", items="faces.out.faces", collect={"thumb": "crop.out.result"}),
        "nodes": [
            node("node", "zone", "crop", after="node.out['area'] = node._loop.area"),
            node(
                "service",
                "crop",
                "loopEnd",
                url="x/image-crop",
                input={"image": "entry.out.photo", "areas": ["loop.zone.out.area"]},
            ),
        ],
    },
    node("end", "end"),
    body="photo",
)


def test_a_loop_and_what_it_collects() -> None:
    """`_loop` is the item, `loop.x` a node of the loop, and an end without input gives what came to it."""
    converted = turned(LOOP)
    (name,) = [one for one in converted["nodes"] if one.startswith("loop")]
    assert converted["nodes"][name]["each"] == {"item": "${faces.faces}"}
    assert converted["output"] == {"thumb": f"${{{name}}}"}
    assert [one["key"] for one in output(LOOP, {"photo": ref("p")}, ("man", None))["thumb"]] == ["p>crop0", "p>crop10"]


def test_a_loop_that_collects_several_things() -> None:
    """Each of them is a list to those who read it."""
    text = LOOP.replace('{"thumb": "crop.out.result"}', '{"thumb": "crop.out.result", "where": "zone.out.area"}')
    text = text.replace(
        '{"type": "end", "id": "end", "next": []}', '{"type": "end", "id": "end", "input": {"all": "loop.out.where"}}'
    )
    assert output(text, {"photo": ref("p")}, ("man",))["all"] == [{"x": 0, "y": 0, "width": 10, "height": 10}]


def test_http() -> None:
    """The verb, the headers and the body go over; its answer's fields are those of the body."""
    text = older(
        {
            **node("http", "ask", "end", url="https://example.org/x", verb="post", headers={"a": "b"}),
            "body": {"n": "entry.out.n", "what": "text"},
        },
        node("end", "end", input={"status": "ask.out.status", "answer": "ask.out.answer"}),
        body={"n": 42},
    )
    converted = turned(text)
    assert converted["input"] == {"n": "int"}
    assert converted["nodes"]["ask"]["http"] == {
        "url": "https://example.org/x",
        "method": "POST",
        "headers": {"a": "b"},
        "body": {"n": "${n}", "what": "text"},
    }
    assert converted["output"] == {"status": "${ask.status}", "answer": "${ask.body.answer}"}


def test_names_that_ours_do_not_allow() -> None:
    """Humps, dashes, reserved words and names that stand twice become identifiers of their own."""
    text = older(
        node("node", "analyze-Img", "loop", input={"blurred.jpg": "entry.out.image"}),
        node("node", "loop", "image"),
        node("node", "image", "end"),
        node("end", "end", input={"x": "image.out.blurred"}),
    )
    assert list(turned(text)["nodes"]) == ["analyze_img", "loop_node", "image_node"]


def test_a_service_that_is_named_on_the_command_line() -> None:
    """An address or a name that nothing fits means what its caller says."""
    text = older(
        node("service", "a", "end", url="http://other/thing", input={"image": "entry.out.image"}), node("end", "end")
    )
    converted = convert(text, CONTRACTS, {"http://other/thing": "image-greyscale"})
    assert "service: image-greyscale" in converted
    assert convert(text, CONTRACTS, {"thing": "image-greyscale"}) == converted


def test_everything_without_a_counterpart_is_said_at_once() -> None:
    """Each thing with its JSON pointer and its node: code, unknown types and keys, references and services that are not there."""
    text = older(
        node("service", "a", ["b", "nowhere"], url="http://nothing.like/it", input={"image": "entry.out.foto"}),
        {
            **node("service", "b", "c", service="image-blur", ready="status.ready = True", retries=3),
            "before": "x = 1",
            "after": "__import__('os').system('true')",
            "input": {"image": "entry.out.image", "areas": [], "strength": "nobody.out.x"},
        },
        node("magic", "c", "d"),
        {**node("loop", "d", "e"), "items": "e.out.x"},
        {**node("branch", "e"), "if": "open('x')", "then": {"next": "end"}, "else": {"q": 1}},
        node("end", "end", input={"r": "b.out.result"}),
        {"id": "end"},
        5,  # type: ignore[arg-type]
        extra=1,
    )
    findings = missing(text)
    assert [finding.partition(": ")[0] for finding in findings] == [
        "/extra",
        "/nodes/1/input/image",
        "/nodes/1/next",
        "/nodes/1/url",
        "/nodes/2/after",
        "/nodes/2/before",
        "/nodes/2/input/strength",
        "/nodes/2/ready",
        "/nodes/2/retries",
        "/nodes/3/type",
        "/nodes/4/collect",
        "/nodes/4/items",
        "/nodes/4/nodes",
        "/nodes/5/else/q",
        "/nodes/5/if",
        "/nodes/7/id",
        "/nodes/8",
    ]
    assert (
        "/nodes/2/after: node b: this is code, which is not run (write what it computes as CEL, in a value node)"
        in findings
    )
    assert "/nodes/5/if: node e: \"open('x')\" is code, which is not run (write it in CEL by hand)" in findings
    assert "/nodes/4/items: node d: there is no node 'e' before this one (there is entry, a, b, c)" in findings


def test_problems_of_the_result_are_placed_in_the_older_file() -> None:
    """A value of another type, an input that a service has not: at the place in the JSON that it came from."""
    text = older(
        node(
            "service",
            "b",
            "end",
            service="image-blur",
            input={"image": "entry.out.image", "areas": "entry.out.n", "foo": 1},
        ),
        node("end", "end", input={"r": "b.out.result"}),
        body=["image", {"n": 1}],
    )
    findings = missing(text)
    assert findings[0].startswith("/nodes/1/input/areas: node b: int is given, [{x: int")
    assert findings[1].startswith("/nodes/1/input/foo: node b: service image-blur has no input 'foo'")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "/: not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "/: this is not a pipeline in the older format"),
        ('{"type": "service", "nodes": []}', "/: this is not a pipeline in the older format"),
        ('{"nodes": []}', "/nodes: there is no entry"),
        ("[" * 100_000, "/: not JSON"),
        (json.dumps({"nodes": ["x" * (1 << 20)]}), "/: the file is larger than"),
    ],
    ids=["nothing", "a list", "a service", "empty", "deep", "large"],
)
def test_another_document_is_refused(text: str, said: str) -> None:
    """It is refused with what it should be."""
    assert any(finding.startswith(said) for finding in missing(text))


def test_a_circle_is_refused() -> None:
    """Nodes that wait for each other are named."""
    text = older(node("node", "a", "b"), node("node", "b", "a"), node("end", "end", input={"x": "entry.out.image"}))
    assert "/nodes/1: node a: nodes wait for each other: a, b, end (use repeat for a loop)" in missing(text) or any(
        "nodes wait for each other: a, b" in finding for finding in missing(text)
    )


def test_the_first_of_two_that_both_run() -> None:
    """`a or b` of nodes that both run becomes `wait: any`."""
    text = older(
        node("node", "start", ["a", "b"], input={"x": "entry.out.image"}),
        node("service", "a", "join", service="image-greyscale", input={"image": "entry.out.image"}),
        node("service", "b", "join", service="image-greyscale", input={"image": "entry.out.image"}),
        node("node", "join", "end", ready="a.finished or b.finished"),
        node("end", "end", input={"image": "join.out.result"}),
    )
    assert turned(text)["nodes"]["join"] == {"value": {"image": "${first(a.image, b.image)}"}, "wait": "any"}
    assert output(text, {"image": ref("p")})["image"]["key"] == "p>grey"


def test_a_loop_that_picks() -> None:
    """What one side of a branch gives is collected of the items that went there, in their order."""
    text = older(
        node("service", "faces", "loop", service="face-analyze", input={"image": "entry.out.photo"}),
        {
            **node("loop", "loop", "hide", items="faces.out.faces", collect={"zones": "women.out.zone"}),
            "nodes": [
                {
                    **node("branch", "women", "loopEnd"),
                    "if": "_loop.gender == 'woman'",
                    "then": {"out": {"zone": "node._loop.area"}},
                    "else": {"out": {}},
                }
            ],
        },
        node(
            "service",
            "hide",
            "end",
            service="image-blur",
            input={"image": "entry.out.photo", "areas": "loop.out.zones"},
        ),
        node("end", "end", input={"image": "hide.out.result"}),
        body="photo",
    )
    assert output(text, {"photo": ref("p")}, ("man", "woman", None, "woman"))["image"]["key"] == "p>blur[10, 30]@0.8"
    assert output(text, {"photo": ref("p")}, ("man",))["image"]["key"] == "p>blur[]@0.8"


def test_readers_of_the_output_of_code_are_not_reported() -> None:
    """The code is reported, and nothing that only follows from it."""
    text = older(
        node("node", "zone", "crop", after="node.out['areas'] = [[int(node.x / 5)]]"),
        node(
            "service",
            "crop",
            "end",
            service="image-crop",
            input={"image": "entry.out.image", "areas": "zone.out.areas"},
        ),
        node("end", "end", input={"image": "crop.out.result"}),
    )
    assert [finding.partition(": ")[0] for finding in missing(text)] == ["/nodes/1/after"]
