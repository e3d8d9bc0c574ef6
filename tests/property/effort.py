"""How many pipelines each property is tried on: a few in every build, many in `make thorough`."""

from hypothesis import HealthCheck, settings

from tests.effort import by_effort

effort = settings(
    max_examples=by_effort(quick=60, thorough=3000),
    deadline=None,  # how long one example takes says nothing on a busy machine
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    print_blob=True,
)
"""What every property test is decorated with."""
