"""Everything that can be wrong with a pipeline, each at its line and column, in the words that its author reads."""

import json

import pytest

from tests.unit.streams.compiling import problems

HEAD = """pipeline: p
input: {n: int, photo: image}
"""
"""What stands before the cases that do not begin with `pipeline:` themselves."""

CASES: dict[str, tuple[str, list[str]]] = {
    "unknown service": (
        HEAD
        + """\
nodes:
  a: {service: clac, with: {x: "${n}"}}
output: {r: "${a.v}"}
""",
        [
            "p.yaml:4:16: nodes.a.service: unknown service 'clac' (did you mean 'calc'?)",
        ],
    ),
    "unknown input": (
        HEAD
        + """\
nodes:
  a: {service: calc, with: {x: "${n}", z: 1}}
output: {r: "${a.v}"}
""",
        [
            "p.yaml:4:43: nodes.a.with.z: service calc has no input 'z' (there is x, y)",
        ],
    ),
    "mistyped key of an input": (
        "pipeline: p\ninput: {n: {type: int, defualt: 3}, m: {type: string, size: int}}\noutput: {r: '${m.size}', s: '${n}'}\n",
        [
            "p.yaml:2:33: input.n.defualt: unknown key 'defualt' (did you mean 'default'?)",
        ],
    ),
    "words of other languages": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: n > 1 and n < 3}
  b: {value: 1, when: not n > 1}
  c: {if: n = 1, then: {output: 'a = b'}}
  d: {value: "${len('and')}"}
  e: {value: "${True}"}
  f: {value: 1, when: }
  g: {value: 1, on_error: {use: null, or: true}}
  h: {value: "${[n].x}"}
output: {r: 1}
""",
        [
            "p.yaml:4:29: nodes.a.when: Syntax error: mismatched input 'and' (write &&, not and)",
            "p.yaml:5:27: nodes.b.when: Syntax error: mismatched input 'n' (write !x, not `not x`)",
            "p.yaml:6:13: nodes.c.if: Syntax error: token recognition error at: '= ' (write ==, to compare)",
            "p.yaml:7:20: nodes.d.value: undeclared reference to 'len' (write size(x))",
            "p.yaml:8:17: nodes.e.value: unknown name 'True' (write true)",
            "p.yaml:9:23: nodes.f.when: null is not an expression (write CEL, without ${…})",
            'p.yaml:10:27: nodes.g.on_error: on_error is fail, skip or {use: value}, not {"use": null, "or": true}',
            "p.yaml:11:20: nodes.h.value: list(int) has no fields (one of a list is xs[0], all of them are xs.map(x, x.field))",
        ],
    ),
    "computed keys": (
        HEAD
        + """\
nodes:
  a: {value: {"${n}": 1, b: [{"x${n}": "${m}"}]}}
  c: {value: "${{string(n): 1}}"}
output: {r: "${c['1']}"}
""",
        [
            'p.yaml:4:23: nodes.a.value.${n}: a key is written out, not computed (a map of computed keys is an expression: "${{name: value}}")',
            'p.yaml:4:40: nodes.a.value.b[0].x${n}: a key is written out, not computed (a map of computed keys is an expression: "${{name: value}}")',
            "p.yaml:4:43: nodes.a.value.b[0].x${n}: unknown name 'm' (there is n, photo)",
        ],
    ),
    "type without end": (
        "pipeline: p\ninput: {a0: int}\nnodes:\n"
        + "".join(f'  a{n + 1}: {{value: {{x: "${{a{n}}}", y: "${{a{n}}}"}}}}\n' for n in range(20))
        + 'output: {r: "${a0}"}\n',
        [
            "p.yaml:15:8: nodes.a12: the type of its value has more than 5,000 parts (leave out unused fields, or name the fields that are needed)",
        ],
    ),
    "nested without end": (
        HEAD + f"""output: {{r: "${{{" + ".join(["n"] * 33)}}}"}}\n""",
        [
            "p.yaml:3:146: output.r: the expression nests deeper than 32 levels (each + is a level, and each operand of first(): compute a part in a value node, or in a list)",
        ],
    ),
    "missing input": (
        HEAD
        + """\
nodes:
  a: {service: calc}
output: {r: "${a.v}"}
""",
        [
            "p.yaml:4:6: nodes.a: service calc needs x (int) (add x to `with:`)",
        ],
    ),
    "unknown field": (
        HEAD
        + """\
nodes:
  a: {service: detect, with: {image: "${photo}"}}
  b:
    value: "${a.faces.map(f, f.aera)}"
output: {r: "${b}"}
""",
        [
            "p.yaml:6:31: nodes.b.value: undefined field 'aera' of {area: {…}, score: float} (did you mean 'area'?)",
        ],
    ),
    "unknown name": (
        HEAD
        + """\
nodes:
  a: {value: "${m + nn}"}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:17: nodes.a.value: unknown name 'm' (there is n, photo)",
            "p.yaml:4:21: nodes.a.value: unknown name 'nn' (did you mean 'n'?)",
        ],
    ),
    "several unknown in one": (
        HEAD
        + """\
nodes:
  ab: {value: "${abc.v + ab1 + a}"}
output: {r: "${ab}"}
""",
        [
            "p.yaml:4:18: nodes.ab.value: unknown name 'abc' (there is n, photo)",
            "p.yaml:4:26: nodes.ab.value: unknown name 'ab1' (there is n, photo)",
            "p.yaml:4:32: nodes.ab.value: unknown name 'a' (there is n, photo)",
        ],
    ),
    "type mismatch": (
        HEAD
        + """\
nodes:
  a: {service: calc, with: {x: "${photo}", y: 1.5}}
output: {r: "${a.v}"}
""",
        [
            "p.yaml:4:32: nodes.a.with.x: image is given, int is expected",
            "p.yaml:4:47: nodes.a.with.y: float is given, int is expected (write a whole number)",
        ],
    ),
    "operator": (
        HEAD
        + """\
nodes:
  a: {value: "${n + 1.5}"}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:19: nodes.a.value: '+' cannot be applied to (int, float) (int and float do not mix: write 2.0, or double(x))",
        ],
    ),
    "syntax": (
        HEAD
        + """\
nodes:
  a: {value: "${n + }"}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:21: nodes.a.value: Syntax error: the expression ends too early",
        ],
    ),
    "unclosed": (
        HEAD
        + """\
nodes:
  a: {value: "x ${n"}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:17: nodes.a.value: ${ is never closed (write ${expression}, or $${ for the two characters)",
        ],
    ),
    "bare with braces": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: "${n > 1}"}
output: {r: "${first(a, 1)}"}
""",
        [
            "p.yaml:4:23: nodes.a.when: this place holds bare CEL (remove the ${…})",
        ],
    ),
    "condition type": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: n + 1}
output: {r: "${first(a, 1)}"}
""",
        [
            "p.yaml:4:23: nodes.a.when: int is given, bool is expected (a comparison gives a bool: x > 0, x == 'yes')",
        ],
    ),
    "condition no text": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: 3}
output: {r: "${first(a, 1)}"}
""",
        [
            "p.yaml:4:23: nodes.a.when: 3 is not an expression (write CEL, without ${…})",
        ],
    ),
    "never": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: false}
  b: {if: 1 > 2, then: {output: 1}}
output: {r: "${first(a, b, 1)}"}
""",
        [
            "p.yaml:4:23: nodes.a.when: this is never true, so what depends on it is never reached (remove the node or the condition)",
            "p.yaml:5:11: nodes.b.if: this is never true, so what depends on it is never reached (remove the node or the condition)",
        ],
    ),
    "cycle": (
        HEAD
        + """\
nodes:
  one: {value: "${two}"}
  two: {value: "${three}"}
  three: {value: "${one}"}
  four: {value: "${nope}"}
output: {r: "${one}"}
""",
        [
            "p.yaml:4:8: nodes.one: cycle: one → two → three → one (a node cannot wait for its own result; use repeat for a loop)",
            "p.yaml:7:20: nodes.four.value: unknown name 'nope' (there is n, one, photo, three, two)",
        ],
    ),
    "self": (
        HEAD
        + """\
nodes:
  a: {value: "${a}"}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:6: nodes.a: cycle: a → a (a node cannot wait for its own result; use repeat for a loop)",
        ],
    ),
    "two cycles": (
        HEAD
        + """\
nodes:
  a: {value: "${b}"}
  b: {value: "${a}"}
  c: {value: "${d}"}
  d: {value: "${c}"}
output: {r: 1}
""",
        [
            "p.yaml:4:6: nodes.a: cycle: a → b → a (a node cannot wait for its own result; use repeat for a loop)",
            "p.yaml:6:6: nodes.c: cycle: c → d → c (a node cannot wait for its own result; use repeat for a loop)",
        ],
    ),
    "cycle through a body": (
        HEAD
        + """\
nodes:
  a: {each: {x: [1]}, nodes: {y: {value: "${b}"}}, output: "${y}"}
  b: {value: "${a}"}
output: {r: 1}
""",
        [
            "p.yaml:4:6: nodes.a: cycle: a → b → a (a node cannot wait for its own result; use repeat for a loop)",
        ],
    ),
    "loop without bound": (
        HEAD
        + """\
nodes:
  a: {repeat: {x: 1}, output: "${x}"}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:6: nodes.a: repeat without max (say `max:` (a loop needs a bound))",
        ],
    ),
    "bound wrong": (
        HEAD
        + """\
nodes:
  a: {repeat: {x: 1}, max: 0, output: "${x}"}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:28: nodes.a.max: max is a whole number from 1 to 10000 (a loop needs a bound)",
        ],
    ),
    "reserved": (
        HEAD
        + """\
nodes:
  map: {value: 1}
  Upper: {value: 2}
output: {r: 1}
""",
        [
            "p.yaml:4:8: nodes.map: 'map' is a reserved name (choose another)",
            "p.yaml:5:10: nodes.Upper: 'Upper' is no name (lower-case letters, digits and _, beginning with a letter, at most 60 characters)",
        ],
    ),
    "hidden": (
        HEAD
        + """\
nodes:
  a: {value: 1}
  n: {value: 1}
  e: {each: {a: [1]}, nodes: {e: {value: 2}}, output: "${e}"}
output: {r: 1}
""",
        [
            "p.yaml:5:6: nodes.n: 'n' is already a name here (inner names may not hide outer ones)",
            "p.yaml:6:17: nodes.e.each.a: 'a' is already a name here (choose another)",
            "p.yaml:6:34: nodes.e.nodes.e: 'e' is already a name here (inner names may not hide outer ones)",
        ],
    ),
    "hidden by what comes later": (
        HEAD
        + """\
nodes:
  e: {each: {z: [1]}, nodes: {y: {value: 2}}, output: "${y}"}
  y: {value: 3}
  z: {value: "${e}"}
output: {r: 1}
""",
        [
            "p.yaml:4:17: nodes.e.each.z: 'z' is already a name here (choose another)",
            "p.yaml:4:34: nodes.e.nodes.y: 'y' is already a name here (inner names may not hide outer ones)",
        ],
    ),
    "strict output": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: n > 1}
output: {r: "${a}"}
""",
        [
            "p.yaml:5:9: output: the output reads a, which may be skipped (give a second choice: first(a, b))",
        ],
    ),
    "strict output of a chain": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: n > 1}
  b: {value: "${a}"}
output: {r: "${first(a, b)}"}
""",
        [
            "p.yaml:6:9: output: the output reads a, b, which may be skipped (end first() with what is always there)",
        ],
    ),
    "strict output of a body": (
        HEAD
        + """\
nodes:
  a: {value: 1, when: n > 1}
  e: {each: {x: [1]}, output: "${a}"}
output: {r: "${e}"}
""",
        [
            "p.yaml:5:31: nodes.e.output: the output reads a, which may be skipped (give a second choice: first(a, b))",
        ],
    ),
    "strict next": (
        HEAD
        + """\
nodes:
  r:
    repeat: {x: 1}
    nodes: {a: {value: 1, when: x > 1}}
    next: {x: "${a}"}
    until: a > 3
    max: 3
    output: "${x}"
output: {r: "${r}"}
""",
        [
            "p.yaml:7:15: nodes.r.next.x: next reads a, which may be skipped (give a second choice: first(a, b))",
            "p.yaml:8:12: nodes.r.until: until reads a, which may be skipped (give a second choice: first(a, b))",
        ],
    ),
    "any strict": (
        HEAD
        + """\
nodes:
  a: {value: 1}
  b: {value: 2}
  c: {wait: any, value: "${a + first(b, 1)}"}
output: {r: "${c}"}
""",
        [
            "p.yaml:6:6: nodes.c: with wait: any, a may not be there yet (read it as first(a, …))",
        ],
    ),
    "any two firsts": (
        HEAD
        + """\
nodes:
  a: {value: 1}
  b: {value: 2}
  c: {value: 3}
  d: {wait: any, value: "${first(a, b) + first(b, c)}"}
output: {r: "${d}"}
""",
        [
            "p.yaml:7:6: nodes.d: with wait: any, b and c may be missing when only a has finished (give each first() an operand that is always there)",
        ],
    ),
    "any ancestor of one": (
        HEAD
        + """\
nodes:
  a: {value: 1}
  b: {value: "${a}"}
  c: {value: 3}
  d: {wait: any, value: "${a + first(b, c)}"}
output: {r: "${d}"}
""",
        [
            "p.yaml:7:6: nodes.d: with wait: any, a may not be there yet (read it as first(a, …))",
        ],
    ),
    "any body": (
        HEAD
        + """\
nodes:
  a: {value: 1}
  b: {value: 2}
  d: {wait: any, each: {x: "${[first(a, b)]}"}, output: "${a}"}
output: {r: "${d}"}
""",
        [
            "p.yaml:6:57: nodes.d.output: the output reads a, which may be skipped (give a second choice: first(a, b))",
        ],
    ),
    "any of one": (
        HEAD
        + """\
nodes:
  a: {value: 1}
  b: {wait: any, value: "${first(a, 1)}"}
  c: {value: "${a}", deadline: 3s}
  d: {value: 1, wait: some}
output: {r: 1}
""",
        [
            "p.yaml:5:13: nodes.b.wait: wait needs two or more nodes to wait for (this node waits for one at most)",
            "p.yaml:6:32: nodes.c.deadline: deadline needs two or more nodes to wait for (this node waits for one at most)",
            "p.yaml:7:23: nodes.d.wait: wait is all or any, not 'some'",
        ],
    ),
    "sides differ": (
        HEAD
        + """\
nodes:
  a: {if: n > 1, then: {output: 1}, else: {output: "x"}}
  b: {if: n > 1, then: {output: 1}, else: {output: 1.5}}
output: {r: "${a}"}
""",
        [
            "p.yaml:4:52: nodes.a.else.output: then gives int, else gives string (write string(x))",
            "p.yaml:5:52: nodes.b.else.output: then gives int, else gives float (write 2.0, or double(x))",
        ],
    ),
    "durations": (
        HEAD
        + """\
timeout: soon
retain: -1
nodes:
  a: {service: calc, with: {x: 1}, timeout: 0s, retry: {attempts: 2, backoff: fast}}
  b: {value: 1, deadline: 5 parsecs}
output: {r: 1}
""",
        [
            "p.yaml:3:10: timeout: 'soon' is not a duration (write 500ms, 20s, 5m, 1h or 7d)",
            "p.yaml:4:9: retain: -1 is not a duration (write 500ms, 20s, 5m, 1h or 7d)",
            "p.yaml:6:45: nodes.a.timeout: '0s' is not a duration (write 500ms, 20s, 5m, 1h or 7d)",
            "p.yaml:6:79: nodes.a.retry.backoff: backoff is a length of time (such as 1s)",
            "p.yaml:7:27: nodes.b.deadline: '5 parsecs' is not a duration (write 500ms, 20s, 5m, 1h or 7d)",
            "p.yaml:7:27: nodes.b.deadline: deadline needs two or more nodes to wait for (this node waits for one at most)",
        ],
    ),
    "durations of nodes": (
        HEAD
        + """\
nodes:
  a: {service: calc, with: {x: 1}, timeout: 0s, retry: {attempts: 0, backoff: fast}}
  b: {service: calc, with: {x: "${n}"}, retry: 3}
  c: {service: calc, with: {x: 1}, retry: {tries: 3}}
output: {r: 1}
""",
        [
            "p.yaml:4:45: nodes.a.timeout: '0s' is not a duration (write 500ms, 20s, 5m, 1h or 7d)",
            "p.yaml:4:67: nodes.a.retry.attempts: attempts is a whole number from 1 to 20",
            "p.yaml:4:79: nodes.a.retry.backoff: backoff is a length of time (such as 1s)",
            "p.yaml:5:48: nodes.b.retry: retry is {attempts: N, backoff: time} (such as {attempts: 5, backoff: 1s})",
            "p.yaml:6:43: nodes.c.retry: retry is {attempts: N, backoff: time} (such as {attempts: 5, backoff: 1s})",
        ],
    ),
    "on_error": (
        HEAD
        + """\
nodes:
  a: {value: 1, on_error: ignore}
  b: {value: 1, on_error: {use: x}}
  c: {value: 1.5, on_error: {use: 0}}
  d: {value: 1, on_error: {use: 2, else: 3}}
output: {r: 1}
""",
        [
            "p.yaml:4:27: nodes.a.on_error: on_error is fail, skip or {use: value}, not 'ignore'",
            'p.yaml:5:33: nodes.b.on_error.use: string is given, int is expected (this is a text; "${…}" is an expression)',
            "p.yaml:6:35: nodes.c.on_error.use: int is given, float is expected (write 2.0, or double(x))",
            'p.yaml:7:27: nodes.d.on_error: on_error is fail, skip or {use: value}, not {"use": 2, "else": 3}',
        ],
    ),
    "kinds": (
        HEAD
        + """\
nodes:
  a: {with: {x: 1}}
  b: {value: 1, service: calc}
  c: 5
  d: {value: 1, wiht: 2}
output: {r: 1}
""",
        [
            "p.yaml:4:6: nodes.a: the node does not say what it is (give it one of service, http, value, if, each, repeat, pipeline)",
            "p.yaml:5:6: nodes.b: a node has one kind, this has service, value",
            "p.yaml:5:6: nodes.b: service calc needs x (int) (add x to `with:`)",
            "p.yaml:6:6: nodes.c: a node is a mapping (such as `{service: image-blur, with: {…}}`)",
            "p.yaml:7:23: nodes.d.wiht: unknown key 'wiht' (did you mean 'wait'?)",
        ],
    ),
    "grammar of blocks": (
        HEAD
        + """\
nodes:
  a: {if: n > 1, else: {output: 1}}
  b: {if: n > 1, then: 5}
  c: {if: n > 1, then: {node: {}, output: 1}}
  d: {each: {x: [1]}}
  e: {each: {x: [1]}, nodes: 5, output: 1}
output: {r: 1}
""",
        [
            "p.yaml:4:6: nodes.a: if without then",
            "p.yaml:5:24: nodes.b.then: a block is a mapping with `nodes:` and `output:`",
            "p.yaml:6:31: nodes.c.then.node: unknown key 'node' (did you mean 'nodes'?)",
            'p.yaml:7:6: nodes.d: the block has no output (say what it gives: `output: "${node.field}"`)',
            "p.yaml:8:30: nodes.e.nodes: nodes is a mapping from a node's name to the node",
        ],
    ),
    "each": (
        HEAD
        + """\
nodes:
  a: {each: [1], output: 1}
  b: {each: {x: 5}, output: 1}
  c: {each: {x: [1], y: [2]}, output: 1}
  d: {each: {x: [1]}, concurrency: 0, output: 1}
  e: {each: {X: [1]}, output: 1}
output: {r: 1}
""",
        [
            'p.yaml:4:13: nodes.a.each: each names one variable and the list it goes through (each: {face: "${detect.faces}"})',
            "p.yaml:5:17: nodes.b.each.x: each goes through a list, int is given (a list is expected: [x] makes one)",
            'p.yaml:6:13: nodes.c.each: each names one variable and the list it goes through (each: {face: "${detect.faces}"})',
            "p.yaml:7:36: nodes.d.concurrency: concurrency is a whole number from 1 to 1024",
            "p.yaml:8:17: nodes.e.each.X: 'X' is no name (lower-case letters, digits and _, beginning with a letter, at most 60 characters)",
        ],
    ),
    "repeat": (
        HEAD
        + """\
nodes:
  a: {repeat: 5, max: 1, output: 1}
  b: {repeat: {x: 1}, next: {y: 2}, max: 1, output: 1}
  c: {repeat: {x: 1}, next: {x: a text}, max: 1, output: 1}
  d: {repeat: {x: 1.5}, next: {x: 1}, max: 1, output: 1}
  e: {repeat: {x: 1}, next: 3, until: x, max: 1, output: 1}
output: {r: 1}
""",
        [
            "p.yaml:4:15: nodes.a.repeat: repeat is a mapping from the names of the carried state to their first values",
            "p.yaml:5:33: nodes.b.next.y: 'y' is not carried state (repeat carries x)",
            'p.yaml:6:33: nodes.c.next.x: string is given, int is expected (this is a text; "${…}" is an expression)',
            "p.yaml:7:35: nodes.d.next.x: int is given, float is expected (write 2.0, or double(x))",
            "p.yaml:8:29: nodes.e.next: next is a mapping from the names of the carried state to their next values",
            "p.yaml:8:39: nodes.e.until: int is given, bool is expected (a comparison gives a bool: x > 0, x == 'yes')",
        ],
    ),
    "http": (
        HEAD
        + """\
nodes:
  a: {http: {methd: GET}}
  b: {http: {url: 5, verb: GET}}
  c: {http: {url: "http://x/${n}", headers: {content-type: text/plain}}}
output: {r: "${c.status}"}
""",
        [
            "p.yaml:4:13: nodes.a.http: http is a mapping with a url (http: {url: https://…})",
            "p.yaml:4:21: nodes.a.http.methd: service http-call has no input 'methd' (did you mean 'method'?)",
            "p.yaml:5:19: nodes.b.http.url: int is given, string is expected (put a text in quotes)",
            "p.yaml:5:28: nodes.b.http.verb: service http-call has no input 'verb' (there is body, headers, method, url)",
        ],
    ),
    "top": (
        """\
pipelin: p
nodes: []
input: 5
summary: [1]
""",
        [
            'p.yaml:1:1: the block has no output (say what it gives: `output: "${node.field}"`)',
            "p.yaml:1:1: pipeline: a pipeline needs a name (lower-case words joined by dashes, at most 60 characters: `pipeline: blur-women`)",
            "p.yaml:1:10: pipelin: unknown key 'pipelin' (did you mean 'pipeline'?)",
            "p.yaml:2:8: nodes: nodes is a mapping from a node's name to the node",
            "p.yaml:3:8: input: input is a mapping from a name to its type (such as `photo: image`)",
            "p.yaml:4:10: summary: a summary is one line of text",
        ],
    ),
    "names": (
        """\
pipeline: Blur Women
output: {r: 1}
""",
        [
            "p.yaml:1:11: pipeline: 'Blur Women' is no pipeline name (lower-case words joined by dashes, at most 60 characters: `pipeline: blur-women`)",
        ],
    ),
    "no name": (
        """\
output: {r: 1}
""",
        [
            "p.yaml:1:1: pipeline: a pipeline needs a name (lower-case words joined by dashes, at most 60 characters: `pipeline: blur-women`)",
        ],
    ),
    "not a mapping": (
        """\
- 1
- 2
""",
        [
            "p.yaml:1:1: the file is not a mapping (a pipeline begins with `pipeline: its-name`)",
        ],
    ),
    "empty": (
        "",
        [
            "p.yaml: the file is not a mapping (a pipeline begins with `pipeline: its-name`)",
        ],
    ),
    "output no record": (
        HEAD
        + """\
output: "${n}"
""",
        [
            "p.yaml:3:9: output: the output of a pipeline is a record, not int (output: {name: value})",
        ],
    ),
    "output key": (
        HEAD
        + """\
output: {content-type: "${n}"}
""",
        [
            "p.yaml:3:24: output.content-type: 'content-type' is not a valid field name (letters, digits and _, beginning with a letter)",
        ],
    ),
    "inputs": (
        """\
pipeline: p
input:
  In: int
  in: int
  a: strng
  b: [int, int]
  c: {type: int, minimum: x}
  d: {type: image, default: x}
  e: {type: int, default: x}
  f: {type: int, minimum: 3, default: 1}
  g: {type: string, enum: [a, 1], default: c}
  h: {}
  i: {type: {x: int}, default: {x: y, z: 1}}
output: {r: 1}
""",
        [
            "p.yaml:3:7: input.In: 'In' is no name (lower-case letters, digits and _, beginning with a letter, at most 60 characters)",
            "p.yaml:4:7: input.in: 'in' is a reserved name (choose another)",
            "p.yaml:5:6: input.a: 'strng' is no type (did you mean 'string'?)",
            'p.yaml:6:6: input.b: ["int", "int"] is no type (string, int, float, bool, image, any, [T] or {field: T})',
            "p.yaml:7:27: input.c.minimum: minimum is a number, for an int or a float, or a list of them",
            "p.yaml:8:29: input.d.default: an image has no default (leave it out: the caller gives the image)",
            "p.yaml:9:27: input.e.default: expected a whole number, got the text 'x'",
            "p.yaml:10:39: input.f.default: must be at least 3, got 1",
            "p.yaml:11:31: input.g.enum[1]: expected a text, got the number 1",
            "p.yaml:11:44: input.g.default: must be one of a, 1, got the text 'c'",
            "p.yaml:12:6: input.h: {} is no type (string, int, float, bool, image, any, [T] or {field: T})",
            "p.yaml:13:32: input.i.default: x: expected a whole number, got the text 'y'",
            "p.yaml:13:32: input.i.default: z: is not a field (the fields are x)",
        ],
    ),
    "first": (
        HEAD
        + """\
nodes:
  a: {value: "${first(n)}"}
  b: {value: "${first(n, }"}
  c: {value: "${1 + first(n, )}"}
output: {r: 1}
""",
        [
            "p.yaml:4:17: nodes.a.value: first() needs two operands or more (first(a, b) gives the first operand that was not skipped)",
            "p.yaml:5:17: nodes.b.value: first( is never closed (first(a, b) gives the first operand that was not skipped)",
            "p.yaml:6:21: nodes.c.value: first() needs two operands or more (first(a, b) gives the first operand that was not skipped)",
        ],
    ),
    "too deep": (
        HEAD
        + """\
nodes:
  a: {value: "${[1].map(a, [1].map(b, [1].map(c, [1].map(d, d + n))))}"}
  z: {value: "${google.protobuf.Int64Value{value: 1}}"}
output: {r: 1}
""",
        [
            "p.yaml:4:17: nodes.a.value: comprehensions nest deeper than 3 (compute the inner part in a value node)",
            "p.yaml:5:17: nodes.z.value: google.protobuf.Int64Value{…} is not part of the language (write a value node instead)",
        ],
    ),
    "multi line": (
        HEAD
        + """\
nodes:
  a:
    value: >-
      ${n +
      nn}
  b:
    when: >-
      n > 1 &&
      m > 2
    value: 1
output: {r: 1}
""",
        [
            "p.yaml:7:7: nodes.a.value: unknown name 'nn' (did you mean 'n'?)",
            "p.yaml:11:7: nodes.b.when: unknown name 'm' (there is a, n, photo)",
        ],
    ),
    "inside text and list": (
        HEAD
        + """\
nodes:
  a: {value: [1, "is ${n} of ${m}", {k: "${q}"}]}
output: {r: 1}
""",
        [
            "p.yaml:4:32: nodes.a.value[1]: unknown name 'm' (there is n, photo)",
            "p.yaml:4:44: nodes.a.value[2].k: unknown name 'q' (there is n, photo)",
        ],
    ),
    "function": (
        HEAD
        + """\
nodes:
  a: {value: "${n.foo()}"}
  b: {value: "${foo(n)}"}
  c: {value: "${'a' + n}"}
  d: {value: "${n > 1 ? 'a' : 2}"}
output: {r: 1}
""",
        [
            "p.yaml:4:22: nodes.a.value: undeclared reference to 'foo' (there is no such function, or not for values of these types)",
            "p.yaml:5:20: nodes.b.value: undeclared reference to 'foo' (there is no such function, or not for values of these types)",
            "p.yaml:6:21: nodes.c.value: '+' cannot be applied to (string, int) (write string(x))",
            "p.yaml:7:23: nodes.d.value: '? :' cannot be applied to (bool, string, int) (both sides of a choice must have one type)",
        ],
    ),
    "broken with hides no edge": (
        HEAD
        + """\
nodes:
  a: {service: calc, with: {x: "${n +}", y: "${b}"}}
  b: {value: 1}
output: {r: "${a.v}"}
""",
        [
            "p.yaml:4:38: nodes.a.with.x: Syntax error: the expression ends too early",
        ],
    ),
    "no output": (
        HEAD
        + """\
nodes:
  a: {service: clac, with: {x: "${m}"}}
  e: {each: {x: [1]}, nodes: {b: {value: "${q}"}}}
  g: {value: "${e.map(x, x.v + k)}"}
""",
        [
            'p.yaml:1:1: the block has no output (say what it gives: `output: "${node.field}"`)',
            "p.yaml:4:16: nodes.a.service: unknown service 'clac' (did you mean 'calc'?)",
            "p.yaml:4:35: nodes.a.with.x: unknown name 'm' (there is n, photo)",
            'p.yaml:5:6: nodes.e: the block has no output (say what it gives: `output: "${node.field}"`)',
            "p.yaml:5:45: nodes.e.nodes.b.value: unknown name 'q' (there is a, index, n, photo, x)",
            "p.yaml:6:32: nodes.g.value: unknown name 'k' (there is a, e, n, photo)",
        ],
    ),
    "no name hides nothing": (
        """\
input: {n: imt}
nodes:
  a: {service: clac}
output: {r-s: 1, t: "${m}", u-v: 2}
""",
        [
            "p.yaml:1:1: pipeline: a pipeline needs a name (lower-case words joined by dashes, at most 60 characters: `pipeline: blur-women`)",
            "p.yaml:1:12: input.n: 'imt' is no type (did you mean 'int'?)",
            "p.yaml:3:16: nodes.a.service: unknown service 'clac' (did you mean 'calc'?)",
            "p.yaml:4:15: output.r-s: 'r-s' is not a valid field name (letters, digits and _, beginning with a letter)",
            "p.yaml:4:24: output.t: unknown name 'm' (there is a, n)",
            "p.yaml:4:34: output.u-v: 'u-v' is not a valid field name (letters, digits and _, beginning with a letter)",
        ],
    ),
    "an alias and a repeated key": (
        HEAD
        + """\
nodes:
  a: &a {service: calc, with: {x: "${m}"}}
  b: *a
  a: {value: 1}
  c: {value: "${b.v + k}"}
output: {r: "${c}"}
""",
        [
            "p.yaml:4:6: nodes.b: YAML aliases are not part of the language (write the value out, or make it a pipeline of its own)",
            "p.yaml:4:38: nodes.a.with.x: unknown name 'm' (there is b, n, photo)",
            "p.yaml:6:3: nodes.a: the key 'a' stands here twice",
            "p.yaml:7:23: nodes.c.value: unknown name 'k' (there is a, b, n, photo)",
        ],
    ),
    "loops of a wrong form": (
        HEAD
        + """\
nodes:
  e: {each: {x: "${m}", y: 1}, nodes: {b: {value: "${x + q}"}}, output: "${b}"}
  r: {repeat: 4, max: 2, nodes: {b: {value: "${q}"}}, next: {z: "${k}"}, output: "${b}"}
  s: {repeat: {z: 1}, max: 2, next: {y: "${k}"}, output: 1}
output: {r: 1}
""",
        [
            'p.yaml:4:13: nodes.e.each: each names one variable and the list it goes through (each: {face: "${detect.faces}"})',
            "p.yaml:4:20: nodes.e.each.x: unknown name 'm' (there is n, photo)",
            "p.yaml:4:58: nodes.e.nodes.b.value: unknown name 'q' (there is index, n, photo, x, y)",
            "p.yaml:5:15: nodes.r.repeat: repeat is a mapping from the names of the carried state to their first values",
            "p.yaml:5:48: nodes.r.nodes.b.value: unknown name 'q' (there is e, n, photo)",
            "p.yaml:6:41: nodes.s.next.y: 'y' is not carried state (repeat carries z)",
            "p.yaml:6:44: nodes.s.next.y: unknown name 'k' (there is e, n, photo, r, z)",
        ],
    ),
    "inputs of what is unknown": (
        HEAD
        + """\
nodes:
  a: {service: clac, with: {x: "${m}"}, timeout: never, retry: {attempts: 0, often: 1}}
  b: {pipeline: other, with: {x: "${m}"}}
  c: {service: calc, with: {x: 1, z: "${m}"}}
output: {r: 1}
""",
        [
            "p.yaml:4:16: nodes.a.service: unknown service 'clac' (did you mean 'calc'?)",
            "p.yaml:4:35: nodes.a.with.x: unknown name 'm' (there is n, photo)",
            "p.yaml:4:50: nodes.a.timeout: 'never' is not a duration (write 500ms, 20s, 5m, 1h or 7d)",
            "p.yaml:4:64: nodes.a.retry: retry is {attempts: N, backoff: time} (such as {attempts: 5, backoff: 1s})",
            "p.yaml:4:75: nodes.a.retry.attempts: attempts is a whole number from 1 to 20",
            "p.yaml:5:17: nodes.b.pipeline: unknown pipeline 'other'",
            "p.yaml:5:37: nodes.b.with.x: unknown name 'm' (there is a, n, photo)",
            "p.yaml:6:38: nodes.c.with.z: service calc has no input 'z' (there is x, y)",
            "p.yaml:6:41: nodes.c.with.z: unknown name 'm' (there is a, b, n, photo)",
        ],
    ),
    "several mistakes in one value": (
        HEAD
        + """\
nodes:
  a: {value: ["${n +}", "${m}", "${n *} ${k}"]}
  b: {value: "${n + 'x' + n.f}"}
  c: {value: 1, when: "${m > 1}"}
output: {r: 1}
""",
        [
            "p.yaml:4:21: nodes.a.value[0]: Syntax error: the expression ends too early",
            "p.yaml:4:28: nodes.a.value[1]: unknown name 'm' (there is n, photo)",
            "p.yaml:4:39: nodes.a.value[2]: Syntax error: the expression ends too early",
            "p.yaml:4:43: nodes.a.value[2]: unknown name 'k' (there is n, photo)",
            "p.yaml:5:19: nodes.b.value: '+' cannot be applied to (int, string) (write string(x))",
            "p.yaml:5:28: nodes.b.value: int has no fields",
            "p.yaml:6:23: nodes.c.when: this place holds bare CEL (remove the ${…})",
            "p.yaml:6:26: nodes.c.when: unknown name 'm' (there is a, b, n, photo)",
        ],
    ),
}


REFERENCES = {
    "with": ("a: {service: detect, with: {image: HERE}}", "${t}", "string is given, image is expected"),
    "with, a part": (
        "a: {service: calc, with: {x: HERE}}",
        "${size(t) / 2.0}",
        "'/' cannot be applied to (int, float)",
    ),
    "with, inside a list": ("a: {pipeline: inner, with: {xs: [1, HERE]}}", "${t}", "string is given, int is expected"),
    "with, inside a record": ("a: {pipeline: inner, with: {r: {q: HERE}}}", "${f}", "float is given, int is expected"),
    "with, a whole list": (
        "a: {pipeline: inner, with: {xs: HERE}}",
        "${d.faces}",
        "[]: {area: {x: int, y: int, width: int, height: int}, score: float} is given, int is expected",
    ),
    "when": ("a: {value: 1, when: HERE}", "n", "int is given, bool is expected"),
    "if": ("a: {if: HERE, then: {output: 1}, else: {output: 2}}", "t", "string is given, bool is expected"),
    "else": (
        'a: {if: n > 1, then: {output: "${n}"}, else: {output: HERE}}',
        "${t}",
        "then gives int, else gives string",
    ),
    "each": ("a: {each: {x: HERE}, output: 1}", "${n}", "each goes through a list, int is given"),
    "inside each": (
        'a: {each: {x: "${xs}"}, nodes: {b: {service: detect, with: {image: HERE}}}, output: 1}',
        "${x}",
        "int is given, image is expected",
    ),
    "until": ("a: {repeat: {x: 1}, until: HERE, max: 2, output: 1}", "x", "int is given, bool is expected"),
    "next": ("a: {repeat: {x: 1}, next: {x: HERE}, max: 2, output: 1}", "${f}", "float is given, int is expected"),
    "use": (
        "a: {service: calc, with: {x: 1}, on_error: {use: {v: HERE, items: []}}}",
        "${t}",
        "string is given, int is expected",
    ),
    "use of http": ("a: {http: {url: HERE}}", "${n}", "int is given, string is expected"),
    "inside a text": (
        "a: {value: HERE}",
        "so many: ${d.faces}",
        "[{area: {…}, score: float}] cannot stand inside a text, a string or number is expected",
    ),
    "first": ("a: {value: HERE}", "${first(n, t)}", "'first' cannot be applied to (int, string)"),
    "a choice": ("a: {value: HERE}", "${n > 1 ? n : t}", "'? :' cannot be applied to (bool, int, string)"),
    "a position": ("a: {value: HERE}", "${xs['a']}", "'[ ]' cannot be applied to (list(int), string)"),
    "an operator": ("a: {value: HERE}", "${n + t}", "'+' cannot be applied to (int, string)"),
    "a field": ("a: {value: HERE}", "${d.face}", "undefined field 'face' of {faces: [{…}], model: string or null}"),
    "a field in a loop": (
        "a: {value: HERE}",
        "${d.faces.map(x, x.aera)}",
        "undefined field 'aera' of {area: {…}, score: float}",
    ),
    "a bound": ("a: {service: calc, with: {x: HERE}}", 2000, "must be at most 1000, got 2000"),
    "an enum": ("a: {http: {url: x, method: HERE}}", "PUT", "must be one of GET, POST, got the text 'PUT'"),
}


@pytest.mark.parametrize(("node", "value", "said"), REFERENCES.values(), ids=REFERENCES.keys())
def test_every_kind_of_reference_is_checked(node: str, value: str | int, said: str) -> None:
    """Wherever a value of another type is given: the line and column of it, both types, and what to do."""
    inner = "pipeline: inner\ninput: {xs: {type: [int], default: []}, r: {type: {q: int}, default: {q: 1}}}\noutput: {r: 1}\n"
    text = f"""\
pipeline: p
input: {{n: int, t: string, f: float, xs: [int], photo: image}}
nodes:
  d: {{service: detect, with: {{image: "${{photo}}"}}}}
  {node.replace("HERE", json.dumps(value))}
output: {{r: 1}}
"""
    (problem,) = problems(text, inner)
    at, _, rest = problem.partition(": ")
    _, _, message = rest.partition(": ")
    assert message.startswith(said)
    if not said.startswith("must be"):
        assert message.endswith(")"), "a hint"
    line, column = map(int, at.split(":")[1:])
    begin = text.splitlines()[4].index(json.dumps(value)) + 1
    assert line == 5
    assert begin <= column <= begin + len(json.dumps(value))


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_every_problem_is_reported_at_its_place(text: str, expected: list[str]) -> None:
    """All that is wrong with a file is said at once, in file order, with line, column, place and what to do."""
    assert problems(text) == expected


INNER: dict[str, tuple[str, tuple[str, ...], list[str]]] = {
    "pipeline cycle": (
        HEAD
        + """\
nodes:
  a: {pipeline: one, with: {x: 1}}
output: {r: "${a.r}"}
""",
        (
            """\
pipeline: one
input: {x: int}
nodes:
  b: {pipeline: two, with: {x: 1}}
output: {r: "${b.r}"}
""",
            """\
pipeline: two
input: {x: int}
nodes:
  b: {pipeline: one, with: {x: 1}}
output: {r: "${b.r}"}
""",
        ),
        [
            "inner.yaml:4:17: nodes.b.pipeline: cycle: one → two → one (a pipeline cannot contain itself)",
        ],
    ),
    "unknown pipeline": (
        HEAD
        + """\
nodes:
  a: {pipeline: on, with: {x: 1}}
output: {r: "${a.r}"}
""",
        (
            """\
pipeline: one
input: {x: int}
output: {r: "${x}"}
""",
        ),
        [
            "p.yaml:4:17: nodes.a.pipeline: unknown pipeline 'on' (did you mean 'one'?)",
        ],
    ),
    "pipeline inputs": (
        HEAD
        + """\
nodes:
  a: {pipeline: one, with: {x: "${photo}", z: 1}}
output: {r: "${a.q}"}
""",
        (
            """\
pipeline: one
input: {x: int, y: int}
output: {r: "${x}"}
""",
        ),
        [
            "p.yaml:4:6: nodes.a: pipeline one needs y (int) (add y to `with:`)",
            "p.yaml:4:32: nodes.a.with.x: image is given, int is expected",
            "p.yaml:4:47: nodes.a.with.z: pipeline one has no input 'z' (there is x, y)",
            "p.yaml:5:17: output.r: undefined field 'q' of {r: int} (there is r)",
        ],
    ),
    "problem inside a pipeline": (
        HEAD
        + """\
nodes:
  a: {pipeline: one, with: {x: 1}}
output: {r: "${a.r}"}
""",
        (
            """\
pipeline: one
input: {x: int}
output: {r: "${x + z}"}
""",
        ),
        [
            "inner.yaml:3:20: output.r: unknown name 'z' (there is x)",
        ],
    ),
    "isolation": (
        HEAD
        + """\
nodes:
  a: {pipeline: one, with: {x: 1}}
output: {r: "${a.r}"}
""",
        (
            """\
pipeline: one
input: {x: int}
output: {r: "${x + n}"}
""",
        ),
        [
            "inner.yaml:3:20: output.r: unknown name 'n' (there is x)",
        ],
    ),
}


@pytest.mark.parametrize(("text", "inner", "expected"), INNER.values(), ids=INNER.keys())
def test_problems_between_pipelines_name_the_right_file(text: str, inner: tuple[str, ...], expected: list[str]) -> None:
    """A pipeline inside another is checked where it is used, and its own faults are reported in its own file."""
    assert problems(text, *inner) == expected


def test_an_expression_is_bounded() -> None:
    """An expression of more than 4096 characters is refused where it begins."""
    text = HEAD + 'nodes: {a: {value: "${' + "1 + " * 1100 + 'n}"}}\noutput: {r: 1}\n'
    assert problems(text) == [
        "p.yaml:3:23: nodes.a.value: the expression is longer than 4096 characters (split it over value nodes)"
    ]


def test_a_right_pipeline_has_no_problems() -> None:
    """What is right is not refused."""
    assert problems(HEAD + 'output: {r: "${n}"}') == []
