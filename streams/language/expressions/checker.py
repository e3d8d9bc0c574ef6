"""The types of a pipeline's expressions: one checker for a compilation, which learns the record types it is shown."""

import re
from collections.abc import Mapping

from cel_expr_python import cel

from schemas.nearest import nearest
from streams.language.expressions import reserved_words
from streams.language.expressions.descriptors import Descriptors
from streams.language.expressions.expression import EXTENSIONS, BadExpression, compile_text, expand
from streams.language.expressions.first import Expanded
from streams.language.types import Type

_UNDEFINED = re.compile(r"undefined field '([^']*)' not found in struct '([^']*)'")


class Checker:
    """Types expressions. CEL takes half a millisecond for an environment, so those of one shape share one."""

    def __init__(self) -> None:
        self._descriptors = Descriptors()
        self._environments: dict[tuple[str, ...], cel.Env] = {}
        self._types: dict[tuple[str, ...], Type] = {}
        """Expressions that differ in nothing but their names have one type: many do in a large pipeline."""

    def check(self, text: str, names: Mapping[str, Type]) -> Type:
        """Return the type of an expression over names of these types. Raises BadExpression at the first place that is wrong."""
        expanded = expand(text)
        kinds = {name: self._descriptors.cel_type(kind) for name, kind in names.items()}
        alike = self._placeholders(expanded, kinds)
        key = (alike.text, *(kind.name() for kind in kinds.values()))
        if key in self._types:
            return self._types[key]
        try:
            compiled = compile_text(self._shared(kinds, expanded), alike, check=True)
        except BadExpression:
            # Again with its own names, so that what CEL says of it can be shown.
            try:
                compiled = compile_text(self._environment(kinds, expanded), expanded, check=True)
            except BadExpression as error:
                error.reword(self._field)
                raise
        self._types[key] = self._descriptors.our_type(compiled.return_type().name())
        return self._types[key]

    def _field(self, message: str) -> tuple[str, str] | None:
        """Return message and hint for a field that a record lacks, naming the fields that it has; None for any other message."""
        undefined = _UNDEFINED.fullmatch(message)
        kind = self._descriptors.known(undefined[2]) if undefined else None
        if undefined is None or kind is None:
            return None
        names = sorted(field.name for field in kind.fields)
        close = nearest(undefined[1], names)
        hint = f"did you mean {close!r}?" if close else f"there is {', '.join(names)}"
        return f"undefined field {undefined[1]!r} of {kind.brief()}", hint

    def _shared(self, kinds: Mapping[str, cel.Type], expanded: Expanded) -> cel.Env:
        shape = (*(kind.name() for kind in kinds.values()), str(len(expanded.markers)))
        if shape not in self._environments:
            numbered = {f"_{position}": kind for position, kind in enumerate(kinds.values())}
            self._environments[shape] = self._environment(numbered, expanded)
        return self._environments[shape]

    def _placeholders(self, expanded: Expanded, kinds: Mapping[str, cel.Type]) -> Expanded:
        numbers = {name: f"_{position}" for position, name in enumerate(kinds)}
        return Expanded(reserved_words.rename(expanded.text, lambda word: numbers.get(word, word)), (), ())

    def _environment(self, kinds: Mapping[str, cel.Type], expanded: Expanded) -> cel.Env:
        variables = {**kinds, **dict.fromkeys(expanded.markers, cel.Type.BOOL)}
        return cel.NewEnv(self._descriptors.pool, variables=variables, extensions=EXTENSIONS)
