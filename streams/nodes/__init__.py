"""The kinds of nodes, one module each: how it is compiled (`build`), and what it does when a run reaches it (`start`).

A new option of a kind needs: its key in `GRAMMAR` (`streams.language.definition.model`), its reading in the kind's `build`, its
field with a default in the kind's work (`streams.language.topology`), its effect in `start`, and its place in the generator and
the oracle of `tests/property` and in `docs/reference/language.md`. A new kind also needs its rows in `BUILDERS`
(`streams.compile.pipeline`) and `STARTS` (`streams.nodes.dispatch`).

`building` says what a kind may ask of the compiler, `walking` what it may do in a run; no kind imports the compiler or the walk.
"""
