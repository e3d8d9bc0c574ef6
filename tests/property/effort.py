"""How many pipelines each property is tried on: a few in every build, many in the nightly one.

MILLRACE_EFFORT=thorough pytest tests/property --timeout=7200
"""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = {"quick": 60, "thorough": 3000}

effort = settings(
    max_examples=EXAMPLES[os.environ.get("MILLRACE_EFFORT", "quick")],
    deadline=None,  # how long one example takes says nothing on a busy machine
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    print_blob=True,
)
"""What every property test is decorated with."""
