"""Which names an expression may read, and what stands behind each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.nodes.built import variable_key
from streams.types import Type


@dataclass(frozen=True)
class Name:
    """A visible name: its context key, its type, and whether what stands behind it can be skipped."""

    key: str
    type: Type
    skippable: bool = False


@dataclass(frozen=True)
class Scope:
    """The names of one block over those of the blocks around it."""

    block: str
    names: Mapping[str, Name] = field(default_factory=dict)
    loops: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, Type]:
        """Name → type."""
        return {name: one.type for name, one in self.names.items()}

    @property
    def skippable(self) -> frozenset[str]:
        """Names that may be absent."""
        return frozenset(name for name, one in self.names.items() if one.skippable)

    def keys(self) -> frozenset[str]:
        """The context keys of all visible names."""
        return frozenset(one.key for one in self.names.values())

    def inner(
        self, block: str, variables: Mapping[str, Type], loop: str | None = None, isolated: bool = False
    ) -> "Scope":
        """The scope of a block inside this one, where `variables` are given on entry."""
        outer = {} if isolated else dict(self.names)
        own = {name: Name(variable_key(block, name), kind) for name, kind in variables.items()}
        return Scope(block, {**outer, **own}, (*self.loops, loop) if loop else self.loops)

    def with_name(self, name: str, made: Name) -> "Scope":
        """This scope with one name more."""
        return Scope(self.block, {**self.names, name: made}, self.loops)
