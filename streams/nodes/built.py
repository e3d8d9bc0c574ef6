"""What a kind makes of a node when it is compiled."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.language.source.document import Place
from streams.language.template import Template
from streams.language.topology import Work
from streams.language.types import Type

if TYPE_CHECKING:
    from streams.compile.node_builder import NodeBuilder


@dataclass(frozen=True)
class Built:
    """A node's work, the type of its value, the templates it evaluates where it stands, whether it may skip itself."""

    work: Work
    type: Type
    templates: tuple[Template, ...] = ()
    skippable: bool = False


@dataclass(frozen=True)
class Closing:
    """What the owner of a block evaluates at its end beside the output: the `next` and `until` of a `repeat`."""

    places: tuple[tuple[Place, Any, bool], ...]
    build: Callable[["NodeBuilder"], tuple[Template, ...]]


def variable_key(block: str, name: str) -> str:
    """The context key of an input, a loop variable or carried state: `faces:face`."""
    return f"{block}:{name}"
