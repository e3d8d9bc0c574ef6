"""The names that an expression may read, with their context keys and types."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from streams.language.topology import variable_key
from streams.language.types import Type


@dataclass(frozen=True)
class Name:
    """A visible name: its context key, its type, and whether its value can be skipped."""

    key: str
    type: Type
    skippable: bool = False


@dataclass(frozen=True)
class Scope:
    """The names of one block over those of the blocks around it."""

    block: str
    names: Mapping[str, Name] = field(default_factory=dict)
    loops: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()
    """Names of nodes of this block and those around it, compiled yet or not, so that no order decides whether a name is free."""

    def has(self, name: str) -> bool:
        """Return whether a name is in use here."""
        return name in self.names or name in self.taken

    def types(self, names: Iterable[str]) -> dict[str, Type]:
        """Return the types of these names."""
        return {name: self.names[name].type for name in sorted(names)}

    def skippable(self, names: Iterable[str]) -> frozenset[str]:
        """Return those of these names that may be absent."""
        return frozenset(name for name in names if name in self.names and self.names[name].skippable)

    def keys(self) -> frozenset[str]:
        """Return the context keys of all visible names."""
        return frozenset(name.key for name in self.names.values())

    def inner(
        self, block: str, variables: Mapping[str, Type], loop: str | None = None, isolated: bool = False
    ) -> "Scope":
        """Return the scope of a block inside this one, with `variables` that are set on entry."""
        outer = {} if isolated else dict(self.names)
        own = {name: Name(variable_key(block, name), kind) for name, kind in variables.items()}
        loops = (*self.loops, loop) if loop else self.loops
        return Scope(block, {**outer, **own}, loops, frozenset() if isolated else self.taken)

    def growing(self, nodes: Iterable[str]) -> tuple["Scope", dict[str, Name]]:
        """Return a copy of this scope and its mutable names: a block adds its nodes to them as they are compiled."""
        names = dict(self.names)
        return replace(self, names=names, taken=self.taken.union(nodes)), names

    def uncertain(self, names: Iterable[str]) -> "Scope":
        """Return a copy of this scope where these names may be absent."""
        return replace(
            self, names={**self.names, **{name: replace(self.names[name], skippable=True) for name in names}}
        )
