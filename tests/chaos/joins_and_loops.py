"""Define a pipeline with every kind of join and loop, so that flow has state to lose, and compute its output."""

from typing import Any

JOINS_AND_LOOPS = """
pipeline: braid
summary: Every kind of join and loop
input: {n: int}
nodes:
  left: {service: bump, with: {n: "${n}"}}
  right: {service: bump, with: {n: "${n * 10}"}}
  meet: {service: bump, with: {n: "${left.n + right.n}"}}
  many:
    each: {item: "${[n, n + 1]}"}
    nodes:
      a: {service: bump, with: {n: "${item}"}}
      b: {service: bump, with: {n: "${item * 2}"}}
    output: "${a.n + b.n}"
  climb:
    repeat: {x: "${meet.n}"}
    nodes: {step: {service: bump, with: {n: "${x}"}}}
    next: {x: "${step.n}"}
    until: step.n >= meet.n + 2
    max: 5
    output: "${step.n}"
  odd:
    if: n % 2 == 1
    then: {nodes: {more: {service: bump, with: {n: "${climb}"}}}, output: "${more.n}"}
    else: {output: "${climb}"}
output: {meet: "${meet.n}", many: "${many}", climb: "${climb}", odd: "${odd}"}
"""


def expected_output(n: int) -> dict[str, Any]:
    """What the pipeline gives for a number."""
    meet = (n + 1) + (10 * n + 1) + 1
    many = [(item + 1) + (2 * item + 1) for item in (n, n + 1)]
    return {"meet": meet, "many": many, "climb": meet + 2, "odd": meet + 2 + n % 2}
