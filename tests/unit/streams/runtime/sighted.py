"""A service with several models, one of which is missing."""

from streams.service.contract import Record
from streams.service.declaration import service
from streams.service.model_status import ModelStatus


class Nothing(Record):
    """Nothing."""


def eyes() -> tuple[ModelStatus, ...]:
    """Two models that are there, and one that is not."""
    missing = ModelStatus("glasses", "3", ready=False, detail="sees less without")
    return ModelStatus("left", "1", ready=True), missing, ModelStatus("right", "2", ready=True)


@service("sighted", version="1.0.0", models=eyes)
def sighted(request: Nothing) -> Nothing:
    """Sees."""
    return request
