"""What each part of an installation may do with topics and consumer groups, in the words of its code: reads, writes, looks at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streams.wire import topic_specs, topics
from streams.wire.topics import READERS, RETRY_TIERS, Topics


@dataclass(frozen=True)
class Right:
    """What a user may do with a topic or a consumer group, or with all whose name begins so."""

    kind: str
    name: str
    operations: tuple[str, ...]
    prefix: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as Strimzi writes it."""
        pattern = "prefix" if self.prefix else "literal"
        resource = {"type": self.kind, "name": self.name, "patternType": pattern}
        return {"resource": resource, "operations": list(self.operations), "host": "*"}


_READERS = Right("group", READERS, ("Describe",))
"""A client that reads a topic whole asks who coordinates its group, although it never joins or commits."""


class Rights:
    """The rights of each part; `dynamic` widens them for pipelines that no file knows."""

    def __init__(self, names: Topics) -> None:
        self.names = names
        self.core = tuple(spec.name for spec in topic_specs.core(names, 1))

    def service(self, name: str, majors: list[int], sends: Iterable[str], dynamic: bool) -> list[Right]:
        """Return the rights of a service's agent: its tasks, and those of the services (`sends`) that come right after it."""
        names = self.names
        topic = {names.tasks(name, major): {"Read"} for major in majors}
        topic[names.named(topics.MODELS)] = {"Read"}
        for topic_name in [topics.EVENTS, topics.TOKENS, topics.DEAD_LETTERS]:
            topic[names.named(topic_name)] = {"Write"}
        for tier, _ in RETRY_TIERS:
            topic[names.retry(tier)] = {"Write"}
        # It announces itself, and publishes its pipeline of one node.
        for topic_name in [topics.SERVICES, topics.PIPELINES]:
            topic[names.named(topic_name)] = {"Write"}
        for topic_name in sends:
            topic.setdefault(topic_name, set()).add("Write")
        looks = [names.requests(name), names.results(name)]
        open_ends = [Right("topic", f"{names.prefix}task.", ("Write",), prefix=True)] if dynamic else []
        return self._worker(topic, [name], looks, open_ends)

    def flow(self, pipelines: list[str], services: list[tuple[str, int]], dynamic: bool) -> list[Right]:
        """Return the rights of flow: every request, every result, the state of runs, and the tasks that a run may begin with.

        It reads those that wait for a service without workers, and looks at the services' groups to know which have any.
        """
        names = self.names
        topic = {
            names.named(topics.TOKENS): {"Read", "Write"},
            names.named(topics.STATE): {"Read", "Write"},
            names.named(topics.CONTROL): {"Read", "Write"},
            names.named(topics.EVENTS): {"Read", "Write"},  # it follows runs that begin and end without it
            names.named(topics.DEAD_LETTERS): {"Write"},
        }
        open_ends = []
        if dynamic:
            open_ends = [
                Right("topic", f"{names.prefix}pipeline.", ("Read", "Write"), prefix=True),
                Right("topic", f"{names.prefix}task.", ("Read", "Write"), prefix=True),
            ]
        else:
            edges = sorted({*pipelines, *(name for name, _ in services)})
            topic |= {names.requests(name): {"Read"} for name in edges}
            topic |= {names.results(name): {"Write"} for name in edges}
            topic |= {names.tasks(name, major): {"Read", "Write"} for name, major in services}
        queues = [Right("group", names.named(name), ("Describe",)) for name in sorted({name for name, _ in services})]
        return [*queues, *self._worker(topic, ["flow"], (), open_ends)]

    def retry(self, services: list[tuple[str, int]], dynamic: bool) -> list[Right]:
        """Return the rights of the agent that sends tasks again after a delay."""
        names = self.names
        topic = {names.retry(tier): {"Read", "Write"} for tier, _ in RETRY_TIERS}  # what is due later goes back
        topic[names.named(topics.DEAD_LETTERS)] = {"Write"}
        open_ends = [Right("topic", f"{names.prefix}task.", ("Write",), prefix=True)] if dynamic else []
        if not dynamic:
            topic |= {names.tasks(name, major): {"Write"} for name, major in services}
        return self._worker(topic, [f"retry.{tier}" for tier, _ in RETRY_TIERS], (), open_ends)

    def recorder(self) -> list[Right]:
        """Return the rights of the agent that writes history."""
        named = self.names.named
        return self._worker({named(topics.EVENTS): {"Read"}, named(topics.DEAD_LETTERS): {"Write"}}, ["recorder"])

    def models(self) -> list[Right]:
        """Return the rights of the agent that announces which models are to serve."""
        return self._worker({self.names.named(topics.MODELS): {"Read", "Write"}}, [])

    def gateway(self, pipelines: list[str], services: list[tuple[str, int]], dynamic: bool) -> list[Right]:
        """Return the rights of the HTTP gateway."""
        names = self.names
        topic = {
            names.named(topics.EVENTS): {"Read", "Write"},
            names.named(topics.CONTROL): {"Write"},
            names.named(topics.TOKENS): {"Write"},  # a run that repeats another one begins there
            names.named(topics.DEAD_LETTERS): {"Read"},
            names.named(topics.STATE): {"Read"},  # it explains what a run waits for
            **{
                names.retry(tier): {"Write"} for tier, _ in RETRY_TIERS
            },  # dead letters are sent again to where they were
            names.named(topics.SERVICES): {"Read"},
            names.named(topics.WORKERS): {"Read"},
            names.named(topics.PIPELINES): {"Read", "Write"} if dynamic else {"Read"},
        }
        waited_for = ["flow", *sorted({name for name, _ in services})]
        queues = [_READERS, *(Right("group", names.named(group), ("Describe",)) for group in waited_for)]
        if dynamic:
            open_ends = [
                Right("topic", f"{names.prefix}pipeline.", ("Create", "Write"), prefix=True),
                # It makes the topics of what is put over HTTP, and sends dead letters there again.
                Right("topic", f"{names.prefix}task.", ("Create", "Read", "Write"), prefix=True),
            ]
            return [*queues, *_topic_rights(topic), *open_ends]
        topic |= {names.requests(name): {"Write"} for name in pipelines}
        return [*queues, *_topic_rights(topic), Right("topic", f"{names.prefix}task.", ("Read", "Write"), prefix=True)]

    def apply(self) -> list[Right]:
        """Return the rights of what publishes pipelines; the operator creates topics."""
        names = self.names
        catalogues = {names.named(topics.PIPELINES): ("Read", "Write"), names.named(topics.SERVICES): ("Read",)}
        return [
            _READERS,
            *(Right("topic", topic_name, catalogues.get(topic_name, ("Describe",))) for topic_name in self.core),
            # It looks whether the broker stamps the requests of others; the operator says it.
            Right("topic", f"{names.prefix}pipeline.", ("Describe", "DescribeConfigs"), prefix=True),
            Right("topic", f"{names.prefix}task.", ("Describe",), prefix=True),
        ]

    def _worker(
        self,
        topic: dict[str, set[str]],
        groups: Iterable[str],
        looks: Iterable[str] = (),
        open_ends: Iterable[Right] = (),
    ) -> list[Right]:
        """Return what every worker needs besides its own: it follows catalogues and aborts, checks shared topics, and reports its health."""
        topic.setdefault(self.names.named(topics.WORKERS), set()).add("Write")
        for topic_name in [topics.SERVICES, topics.PIPELINES, topics.CONTROL]:
            topic.setdefault(self.names.named(topic_name), set()).add("Read")
        for topic_name in [*self.core, *looks]:
            topic.setdefault(topic_name, {"Describe"})
        return [
            _READERS,
            *(Right("group", self.names.named(group), ("Read",)) for group in groups),
            *_topic_rights(topic),
            *open_ends,
        ]


def _topic_rights(topic: Mapping[str, set[str]]) -> list[Right]:
    return [Right("topic", name, tuple(sorted(operations))) for name, operations in sorted(topic.items())]
