"""The rights that a service's agent gets are enough: it sends tasks to nobody else."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from streams.messages import FlowMessage, Message, Task
from streams.render.follow import followers
from streams.testing.driver import FAIR
from tests.property.effort import effort
from tests.property.harness import Watched, compiled
from tests.property.pipelines import Case, Shape, cases


@dataclass
class Guarded(Watched):
    """Notes whom a worker sends tasks to."""

    working: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pairs: set[tuple[str, str]] = set()

    def _work(self, task: Task) -> None:
        self.working = task.service
        super()._work(task)
        self.working = None

    def send(self, message: Message | FlowMessage) -> None:
        """Whose task, from whom; a retry is its own."""
        if isinstance(message, Task) and self.working is not None:
            self.pairs.add((self.working, message.service))
        super().send(message)


@effort
@given(case=cases(Shape(any_of=True)), seed=st.integers(0, 2**16))
def test_a_service_sends_tasks_only_to_its_followers(case: Case, seed: int) -> None:
    """Whatever a pipeline is made of, each task that a worker sends is for one of the followers of its service."""
    topology = compiled(case)
    driver = Guarded(topology, weather=FAIR, seed=seed)
    driver.run(case.input)
    allowed = followers([topology])
    assert all(after in allowed[before] for before, after in driver.pairs), (driver.pairs, allowed)
