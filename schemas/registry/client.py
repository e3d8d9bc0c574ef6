"""The schema registry over HTTP (Confluent's API, which Apicurio serves too), with everything seen once remembered."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from urllib.parse import quote

import httpx

from schemas.encoding import binary
from schemas.errors import BadSchema, Incompatible, OtherFormat, RegistryUnavailable, UnknownSchema
from schemas.library import inline
from schemas.memo import Memo
from schemas.registry import references
from schemas.registry.completed import completed
from schemas.validation import compat

log = logging.getLogger(__name__)

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_UNKNOWN_FOR = 10.0
"""Seconds for which an id that the registry does not have is not asked for again: garbage may come in floods."""
_KNOWN_FOR = 30.0
"""Seconds after which the id of a schema in use is asked for again: its subject may have been deleted."""
_PATIENCE = 0.5
"""Seconds that a record waits for that answer; without one it is written with the id that was known."""
_MAX_KNOWN = 10_000
_PAGE = 1000
_AT_ONCE = 32
"""Calls in progress, including those whose callers have left: these must not pile up."""
_ABSENT = (40401, 40402, 40403)
"""Error codes for a subject, a version, a schema that is not there. A 404 without one does not come from a registry."""


class SchemaRegistry:
    """A client for one event loop. Every call may raise RegistryUnavailable, and then succeed later."""

    def __init__(self, url: str, *, timeout: float = 10.0, known_for: float = _KNOWN_FOR) -> None:
        """`url` may hold user and password, which no message shows; `timeout` and `known_for` (for how long an id is used without
        asking for it again) in seconds.
        """
        address = httpx.URL(url.rstrip("/"))
        self._url = str(address.copy_with(userinfo=b""))  # as messages show it
        login = httpx.BasicAuth(address.username, address.password) if address.userinfo else None
        self._http = httpx.AsyncClient(
            auth=login, timeout=timeout, headers={"accept": _MEDIA_TYPE, "content-type": _MEDIA_TYPE}
        )
        self._timeout = timeout
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._whole: Memo[Any] = Memo(inline)
        self._known_for = known_for
        self._ids: dict[tuple[str, str], _Id] = {}
        self._known_ids: dict[tuple[str, int], tuple[Any, _Id]] = {}
        self._schemas: dict[int, Any] = {}
        self._unknown: dict[int, tuple[float, Callable[[], UnknownSchema]]] = {}
        self._flights: dict[Any, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def id_of(self, subject: str, schema: Any) -> int:
        """Return the schema's id, registering it under the subject if need be; later calls with the same object cost a look-up.

        Raises Incompatible when the subject's rule refuses the schema, BadSchema when it is not valid, RegistryUnavailable.
        """
        known = self._known_ids.get((subject, id(schema)))
        if known is None or known[0] is not schema:
            known = schema, await self._identified(subject, self._text(schema))
            if len(self._known_ids) >= _MAX_KNOWN:
                self._known_ids.clear()  # schemas that were read from somewhere are new objects each time
            self._known_ids[subject, id(schema)] = known
        identified = known[1]
        if identified.asked + self._known_for < time.monotonic():
            await self._ask_again(identified)
        return identified.id

    async def register(self, subject: str, schema: Any) -> int:
        """Register the schema under the subject now, whatever is known of it, and return its id. Raises as `id_of` does."""
        text = self._text(schema)
        known = (subject, text) in self._ids
        identified = await self._identified(subject, text)
        if known and await self._looked_up(subject, text) is None:
            identified.id = await self._register(subject, text)
        return identified.id

    async def has(self, subject: str, schema: Any) -> bool:
        """Return whether the registry has exactly this schema under the subject now. Raises BadSchema, RegistryUnavailable."""
        return await self._looked_up(subject, self._text(schema)) is not None

    async def schema_of(self, schema_id: int) -> Any:
        """Return the schema of an id, always the same object.

        It is whole: what other subjects define stands inside it. Raises UnknownSchema (the registry has none, or none that may
        be read with), OtherFormat and RegistryUnavailable.
        """
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        if schema_id in self._unknown and self._unknown[schema_id][0] > time.monotonic():
            raise self._unknown[schema_id][1]()
        return await self._once(schema_id, lambda: self._fetch(schema_id))

    async def set_compatibility(self, subject: str, level: str = "BACKWARD") -> None:
        """Set what the registry demands of a subject's next schema. Raises RegistryUnavailable."""
        await self._call("PUT", f"/config/{_part(subject)}", {"compatibility": level})

    async def is_compatible(self, subject: str, schema: Any) -> bool:
        """Return whether the registry would accept the schema as the subject's next one; True for a new subject.

        Raises BadSchema, RegistryUnavailable.
        """
        path = f"/compatibility/subjects/{_part(subject)}/versions/latest"
        try:
            answer = await self._call("POST", path, {"schema": json.dumps(self._whole(schema))})
        except UnknownSchema:
            return True
        return bool(answer["is_compatible"])

    async def latest(self, subject: str) -> Any | None:
        """Return the subject's newest Avro schema; None when it has none. Raises RegistryUnavailable.

        A newer one of another format, which a producer of JSON may have registered there, is passed over.
        """
        place = f"/subjects/{_part(subject)}/versions"
        try:
            answer = await self._call("GET", f"{place}/latest")
            with contextlib.suppress(UnknownSchema):
                return await self.schema_of(int(answer["id"]))
            for version in sorted(await self._call("GET", place), reverse=True)[1:]:
                answer = await self._call("GET", f"{place}/{version}")
                with contextlib.suppress(UnknownSchema):
                    return await self.schema_of(int(answer["id"]))
        except UnknownSchema:
            pass
        return None

    async def subjects(self) -> list[str]:
        """Return every subject that the registry knows, page by page: unasked, it shows only the first thousand.

        Raises RegistryUnavailable.
        """
        subjects: dict[str, None] = {}
        while True:
            page = await self._call("GET", f"/subjects?offset={len(subjects)}&limit={_PAGE}")
            fresh = [subject for subject in page if subject not in subjects]
            subjects.update(dict.fromkeys(fresh))
            if len(page) < _PAGE or not fresh:  # a registry without pages shows everything each time
                return list(subjects)

    def _text(self, schema: Any) -> str:
        whole = self._whole(schema)
        binary.check(whole)
        # Sorted: the registry takes the same attributes in another order, as a topology's JSON has them, for a new version.
        return json.dumps(whole, sort_keys=True)

    async def _identified(self, subject: str, text: str) -> "_Id":
        if (subject, text) not in self._ids:
            schema_id = await self._once((subject, text), lambda: self._register(subject, text))
            self._ids.setdefault((subject, text), _Id(subject, text, schema_id, time.monotonic()))
            # A process that writes with a schema mostly reads it too, perhaps while the registry is unavailable.
            self._schemas.setdefault(schema_id, json.loads(text))
        return self._ids[subject, text]

    async def _ask_again(self, known: "_Id") -> None:
        """Ask for the id again, and have the schema registered again if the registry has lost it.

        Callers meanwhile use the id that is known: a registry that hangs must not hold up every record.
        """
        known.asked = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._once(("again", known.subject, known.text), lambda: self._renew(known))
        except TimeoutError:
            pass

    async def _renew(self, known: "_Id") -> None:
        try:
            schema_id = await self._looked_up(known.subject, known.text)
            if schema_id is None:
                log.warning("%s is no longer in the registry: registering it again", known.subject)
                schema_id = await self._register(known.subject, known.text)
            known.id = schema_id
        except (RegistryUnavailable, BadSchema, Incompatible, UnknownSchema) as error:
            log.warning("whether the registry still has %s cannot be known: %s", known.subject, error)

    async def _looked_up(self, subject: str, text: str) -> int | None:
        """Return the id of a schema under its subject; None when it is not there."""
        try:
            answer = await self._call("POST", f"/subjects/{_part(subject)}", {"schema": text})
        except UnknownSchema:
            return None
        return int(answer["id"])

    async def _register(self, subject: str, text: str) -> int:
        try:
            answer = await self._call("POST", f"/subjects/{_part(subject)}/versions", {"schema": text})
        except _Conflict as error:
            newest = await self.latest(subject)
            reasons = compat.problems(reader=json.loads(text), writer=newest) if newest is not None else []
            raise Incompatible(subject, reasons or [str(error)]) from error
        return int(answer["id"])

    async def _fetch(self, schema_id: int) -> Any:
        try:
            answer = await self._call("GET", f"/schemas/ids/{schema_id}")
            format = references.format_of(answer)
            if format != "AVRO":
                raise self._unusable(schema_id, partial(OtherFormat, schema_id, format))
            schema = await references.whole(answer, self._version)
        except OtherFormat:
            raise
        except (UnknownSchema, BadSchema) as error:
            reason = f"the schema {schema_id} cannot be used: {error}"
            raise self._unusable(schema_id, partial(UnknownSchema, reason)) from error
        return self._schemas.setdefault(schema_id, schema)

    async def _version(self, subject: str, version: int) -> Any:
        return await self._call("GET", f"/subjects/{_part(subject)}/versions/{version}")

    def _unusable(self, schema_id: int, error: Callable[[], UnknownSchema]) -> UnknownSchema:
        if len(self._unknown) >= _MAX_KNOWN:
            self._unknown.clear()
        self._unknown[schema_id] = time.monotonic() + _UNKNOWN_FOR, error
        return error()

    async def _once(self, key: Any, fetch: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Return what `fetch` returns, asked for once however many wait for it; cancelling one waiter leaves the others waiting."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(fetch())
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return await asyncio.shield(flight)

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body)
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
            # Not cancelled with its caller: that would cost the pool a connection. Its own time-out ends it.
            answer = await completed(self._request(method, path, content))
        except TimeoutError as error:
            raise RegistryUnavailable(
                f"the schema registry at {self._url} does not answer: {_AT_ONCE} calls wait for it"
            ) from error
        except httpx.HTTPError as error:
            raise RegistryUnavailable(
                f"the schema registry at {self._url} does not answer: {type(error).__name__} {error}"
            ) from error
        try:
            values = answer.json()
        except ValueError as error:
            raise RegistryUnavailable(
                f"the schema registry at {self._url} answered {answer.status_code} without JSON"
            ) from error
        if answer.is_success:
            return values
        raise self._error(answer.status_code, values if isinstance(values, dict) else {})

    async def _request(self, method: str, path: str, content: str | None) -> httpx.Response:
        try:
            return await self._http.request(method, self._url + path, content=content)
        finally:
            self._places.release()

    def _error(self, status: int, values: dict[str, Any]) -> Exception:
        message = str(values.get("message", "no message"))
        match status:
            case 404 if values.get("error_code") in _ABSENT:
                return UnknownSchema(f"the registry does not know it: {message}")
            case 409:
                return _Conflict(message)
            case 400 | 422:
                return BadSchema(f"the registry refuses the schema: {message}")
        return RegistryUnavailable(f"the schema registry at {self._url} answered {status}: {message}")


@dataclass
class _Id:
    """A schema's id under a subject, and when the registry said so last (monotonic seconds)."""

    subject: str
    text: str
    id: int
    asked: float


class _Conflict(Exception):
    """The registry says that the schema is not compatible."""


def _part(subject: str) -> str:
    return quote(subject, safe="")
