"""The application: routes, errors, and the middleware around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from gateway.api import problems, request_address
from gateway.api.auth import Authenticator, RequireKey, read_key
from gateway.api.limits import Limits
from gateway.api.problems import Kind
from gateway.components import Access, Backends, Components
from gateway.data.interfaces import HistoryUnavailable
from gateway.http.body_timeout import BodyTimeout
from gateway.http.content_encoding import ContentDecoding
from gateway.http.drain_body import BodyDrain
from gateway.http.head_requests import HeadRequests
from gateway.http.response_headers import SecurityHeaders
from gateway.monitoring.metrics import RequestTiming
from gateway.routes import (
    dead_letters,
    docs,
    health,
    metrics,
    models,
    notices,
    objects,
    pages,
    pipelines,
    predictions,
    runs,
    services,
    session,
    versions,
)
from schemas.errors import RegistryUnavailable
from streams.runtime.errors import ProducerStopped, Unavailable, Undeliverable
from streams.runtime.kafka.admin import WrongTopic
from streams.settings import Settings

ERRORS: tuple[tuple[type[Exception], Kind, str], ...] = (
    (RegistryUnavailable, Kind.UNAVAILABLE, "{error}; try again."),
    (Unavailable, Kind.UNAVAILABLE, "A part of the system does not answer: {error}; try again."),
    (HistoryUnavailable, Kind.UNAVAILABLE, "{error}; try again."),
    (KafkaError, Kind.UNAVAILABLE, "Kafka does not answer: {error}; try again."),
    (KafkaException, Kind.UNAVAILABLE, "Kafka does not answer: {error}; try again."),
    (ProducerStopped, Kind.UNAVAILABLE, "The gateway is stopping, or not connected to Kafka yet; try again."),
    (Undeliverable, Kind.TOO_LARGE, "Kafka does not take this: {error}."),
    (WrongTopic, Kind.CONFLICT, "{error}."),
    (ClientDisconnect, Kind.BAD_REQUEST, "The body broke off."),
)
"""Errors of other packages: the kind of problem and the detail that a client gets."""

ROUTERS = (
    health,
    session,
    services,
    pipelines,
    versions,
    runs,
    models,
    predictions,
    notices,
    dead_letters,
    objects,
    docs,
    metrics,
    pages,
)


def create_app(settings: Settings, limits: Limits | None = None) -> "GatewayApp":
    """Build a gateway on the systems that these settings name; its lifespan connects it.

    Raises SettingError when there is no usable key.
    """
    access = Access(settings, limits or Limits(), Authenticator(read_key(settings.home)))
    return build_app(Components(access, Backends.of(settings)))


def build_app(components: Components) -> "GatewayApp":
    """Build the application around the components of a gateway."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with components:
            yield

    app = FastAPI(
        title="Millrace",
        summary="An AI marketplace: services, pipelines of them, and runs with live results.",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(request_address.is_understood)],
    )
    app.state.components = components
    for module in ROUTERS:
        app.include_router(module.router)
    problems.install(app, ERRORS, _offered_methods)
    return GatewayApp(app, components)


def _offered_methods(path: str) -> list[str]:
    """Return the methods that a path takes, of all its routes."""
    routes = (route for module in ROUTERS for route in module.router.routes)
    methods = {
        method
        for route in routes
        if isinstance(route, APIRoute) and route.path_regex.match(path)
        for method in route.methods or ()
    }
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


class GatewayApp:
    """The application inside the middleware that every answer passes, also that of an unexpected error."""

    def __init__(self, app: FastAPI, components: Components) -> None:
        self.app = app
        self.components = components
        limits, authenticator = components.access.limits, components.access.authenticator
        inner = RequireKey(BodyTimeout(ContentDecoding(app), limits), authenticator)
        self._stack = BodyDrain(HeadRequests(SecurityHeaders(RequestTiming(inner, components.monitoring.metrics))))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        await self._stack(scope, receive, send)
