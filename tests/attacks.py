"""Parts of pipelines that try to use up an installation, for more than one tier of tests."""

PLUSES = " + ".join(["{0}"] * 16)
"""A template of an expression: the sum of sixteen times the same."""
SWELLING = f"""
nodes:
  b1: {{value: "${{{PLUSES.format("text")}}}"}}
  b2: {{value: "${{{PLUSES.format("b1")}}}"}}
  grow:
    repeat: {{n: 0}}
    nodes: {{made: {{value: "${{b2 + string(n)}}"}}}}
    next: {{n: "${{n + 1}}"}}
    max: 10000
    output: "${{n}}"
    on_error: skip
output: {{r: "${{first(grow, 0)}}"}}
"""
"""Doubles a text again and again in a loop; its input is `text`, its output `r`."""
