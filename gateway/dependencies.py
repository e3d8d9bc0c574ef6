"""The components that routes depend on, for FastAPI: a parameter `limits: LimitsDep` is given the gateway's limits.

Components that need the catalogues of services and pipelines are given once these have been read; before that, the answer
is 503, because nobody can know what there is.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from gateway.api.auth import Authenticator
from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.definitions import Definitions
from gateway.components import Components
from gateway.data.interfaces import NoticeStore, PredictionStore, RunHistory
from gateway.data.models import ModelVersions
from gateway.data.objects import Objects
from gateway.following.explain import Explainer
from gateway.following.run_cache import RunCache
from gateway.following.run_events import RunEvents
from gateway.following.run_streams import RunStreams
from gateway.monitoring.health import Health
from gateway.monitoring.kafka_pulse import KafkaPulse
from gateway.monitoring.metrics import Metrics
from gateway.monitoring.statistics import Statistics
from gateway.submission.answers import RunAnswers
from gateway.submission.intake import RunIntake
from gateway.submission.replay import Replayer
from gateway.submission.sender import Sender
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.settings import Settings


def components(request: Request) -> Components:
    """Return the components of the gateway that serves this request."""
    served_by: Components = request.app.state.components
    return served_by


def connected(request: Request) -> Components:
    """Return the components once the catalogues have been read. Raises Problem (503) before that."""
    served_by = components(request)
    if not served_by.connection.connected:
        raise Problem(
            Kind.UNAVAILABLE,
            "The catalogues of services and pipelines have not been read yet.",
            headers={"Retry-After": "1"},
        )
    return served_by


def _from(pick: Callable[[Components], Any]) -> Any:
    """Depend on a component, connected or not."""

    def dependency(request: Request) -> Any:
        return pick(components(request))

    return Depends(dependency)


def _once_connected(pick: Callable[[Components], Any]) -> Any:
    """Depend on a component that needs the catalogues."""

    def dependency(request: Request) -> Any:
        return pick(connected(request))

    return Depends(dependency)


SettingsDep = Annotated[Settings, _from(lambda gateway: gateway.access.settings)]
LimitsDep = Annotated[Limits, _from(lambda gateway: gateway.access.limits)]
AuthenticatorDep = Annotated[Authenticator, _from(lambda gateway: gateway.access.authenticator)]
HistoryDep = Annotated[RunHistory, _from(lambda gateway: gateway.stores.history)]
ObjectsDep = Annotated[Objects, _from(lambda gateway: gateway.stores.objects)]
PredictionsDep = Annotated[PredictionStore, _from(lambda gateway: gateway.stores.predictions)]
NoticesDep = Annotated[NoticeStore, _from(lambda gateway: gateway.stores.notices)]
ModelsDep = Annotated[ModelVersions, _from(lambda gateway: gateway.stores.models)]
RunCacheDep = Annotated[RunCache, _from(lambda gateway: gateway.following.cache)]
RunEventsDep = Annotated[RunEvents, _from(lambda gateway: gateway.following.events)]
RunStreamsDep = Annotated[RunStreams, _from(lambda gateway: gateway.following.streams)]
LiveCatalogueDep = Annotated[Catalogue, _from(lambda gateway: gateway.catalogues.catalogue)]
"""The catalogue as far as it has been read."""
SenderDep = Annotated[Sender, _from(lambda gateway: gateway.submission.sender)]
HealthDep = Annotated[Health, _from(lambda gateway: gateway.monitoring.health)]
MetricsDep = Annotated[Metrics, _from(lambda gateway: gateway.monitoring.metrics)]
StatisticsDep = Annotated[Statistics, _from(lambda gateway: gateway.monitoring.statistics)]
PulseDep = Annotated[KafkaPulse, _from(lambda gateway: gateway.monitoring.pulse)]

ConnectionsDep = Annotated[Connections, _once_connected(lambda gateway: gateway.connections)]
DeadLettersDep = Annotated[DeadLetters, _once_connected(lambda gateway: gateway.dead_letters)]
CatalogueDep = Annotated[Catalogue, _once_connected(lambda gateway: gateway.catalogues.catalogue)]
PipelinesDep = Annotated[Pipelines, _once_connected(lambda gateway: gateway.catalogues.pipelines)]
DefinitionsDep = Annotated[Definitions, _once_connected(lambda gateway: gateway.catalogues.definitions)]
ExplainerDep = Annotated[Explainer, _once_connected(lambda gateway: gateway.explainer)]
IntakeDep = Annotated[RunIntake, _once_connected(lambda gateway: gateway.submission.intake)]
ReplayerDep = Annotated[Replayer, _once_connected(lambda gateway: gateway.submission.replayer)]
AnswersDep = Annotated[RunAnswers, _once_connected(lambda gateway: gateway.submission.answers)]
