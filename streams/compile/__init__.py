"""From a spec to a topology: names resolved, types checked, edges inferred, contexts pruned.

Only this package makes topologies.
"""

from streams.compile.pipeline import Library, compile_pipeline, compile_spec
from streams.compile.single_service import automatic

__all__ = ["Library", "automatic", "compile_pipeline", "compile_spec"]
