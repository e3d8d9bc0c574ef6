"""Expressions: CEL, checked against declared types when compiled, evaluated on plain values when a run gets there."""
