"""The names of topics, in one place."""

from dataclasses import dataclass

EVENTS = "run.events"
TOKENS = "flow.tokens"
STATE = "flow.state"
CONTROL = "run.control"
SERVICES = "catalog.services"
WORKERS = "catalog.workers"
PIPELINES = "catalog.pipelines"
DEAD_LETTERS = "dead.letters"
MODELS = "models.updates"

READERS = "millrace.readers"
"""The group that readers without a group name, since their client wants a name: nobody joins it, and nothing is committed to it."""
RETRY_TIERS: tuple[tuple[str, float], ...] = (("1s", 1.0), ("5s", 5.0), ("30s", 30.0), ("5m", 300.0))
"""Name and delay in seconds of each retry tier, shortest first. One fixed delay a tier: a FIFO with jitter blocks its head."""


@dataclass(frozen=True)
class Topics:
    """Topic names under an installation's prefix."""

    prefix: str = ""

    def named(self, name: str) -> str:
        """Return the name of a topic with a fixed name."""
        return self.prefix + name

    def requests(self, pipeline: str) -> str:
        """Return the topic on which runs of a pipeline are requested."""
        return f"{self.prefix}pipeline.{pipeline}.requests"

    def results(self, pipeline: str) -> str:
        """Return the topic of a pipeline's typed results."""
        return f"{self.prefix}pipeline.{pipeline}.results"

    def tasks(self, service: str, major: int) -> str:
        """Return the topic of the tasks of one major version of a service."""
        return f"{self.prefix}task.{service}.v{major}"

    def service_of(self, topic: str) -> tuple[str, int]:
        """Return the service and major version of a task topic. Raises ValueError for any other topic."""
        name, dot, major = topic.removeprefix(f"{self.prefix}task.").rpartition(".v")
        if not topic.startswith(f"{self.prefix}task.") or not dot or not major.isdecimal():
            raise ValueError(f"{topic} is not a topic of tasks")
        return name, int(major)

    def pipeline_of(self, topic: str) -> str:
        """Return the pipeline of a requests topic. Raises ValueError for any other topic."""
        if not self.is_requests(topic):
            raise ValueError(f"{topic} is not a topic of requests")
        return topic.removeprefix(f"{self.prefix}pipeline.").removesuffix(".requests")

    def is_requests(self, topic: str) -> bool:
        """Return whether runs are requested on this topic."""
        return topic.startswith(f"{self.prefix}pipeline.") and topic.endswith(".requests")

    def retry(self, tier: str) -> str:
        """Return the topic on which tasks wait for another attempt."""
        return f"{self.prefix}retry.{tier}"


def tier(delay: float) -> str:
    """Return the tier that waits at least `delay` seconds; for a longer delay the longest one, which a record then passes several times."""
    return next((name for name, seconds in RETRY_TIERS if seconds >= delay), RETRY_TIERS[-1][0])
