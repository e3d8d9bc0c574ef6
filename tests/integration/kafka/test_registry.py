"""The client against the real schema registry."""

import asyncio
import copy
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastavro.schema import to_parsing_canonical_form

from schemas import library
from schemas.contracts import load_contracts
from schemas.encoding import binary
from schemas.encoding.codec import Codec, frame, value_subject
from schemas.errors import Incompatible, OtherFormat, RegistryUnavailable, Undecodable, UnknownSchema
from schemas.registry.client import SchemaRegistry
from streams.settings import Settings

REF = {"bucket": "b", "key": "k", "size": 1, "sha256": "a" * 64, "media_type": "image/png"}


def schema(*more: dict[str, Any]) -> dict[str, Any]:
    """A record with attributes of ours, a Ref, a Value, and these fields more."""
    fields = [
        {"name": "image", "type": "millrace.Ref", "doc": "The photo."},
        {"name": "strength", "type": "double", "default": 0.8, "minimum": 0, "maximum": 1},
        {"name": "any", "type": "millrace.Value", "default": [1]},
        *more,
    ]
    return {"type": "record", "name": "millrace.registry.In", "fields": fields}


def subject() -> str:
    """A fresh subject."""
    return value_subject(f"test-registry-{uuid.uuid4().hex}")


def run(settings: Settings, scenario: Callable[[SchemaRegistry], Awaitable[None]]) -> None:
    """Runs a scenario with a client of its own."""

    async def main() -> None:
        async with SchemaRegistry(settings.registry) as registry:
            await scenario(registry)

    asyncio.run(main())


def test_the_order_of_attributes_makes_no_new_version(settings: Settings) -> None:
    """A schema that was written and read again, with its attributes in another order, is the same version of its subject."""

    async def scenario(registry: SchemaRegistry) -> None:
        name, reordered = subject(), schema()
        reordered["fields"][1] = dict(reversed(reordered["fields"][1].items()))
        assert await registry.id_of(name, schema()) == await registry.id_of(name, reordered)
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{settings.registry}/subjects/{name}/versions")).json() == [1]

    run(settings, scenario)


def test_records_cross_between_two_processes(settings: Settings) -> None:
    """What one client wrote, another reads that knows nothing but the record's bytes; our attributes survive the registry."""
    data = b""

    async def write(registry: SchemaRegistry) -> None:
        nonlocal data
        data = await Codec(registry).encode(subject(), schema(), {"image": REF, "strength": 0.5, "any": {"x": None}})

    async def read(registry: SchemaRegistry) -> None:
        assert await Codec(registry).decode(data) == {"image": REF, "strength": 0.5, "any": {"x": None}}
        stored = await registry.schema_of(int.from_bytes(data[1:5], "big"))
        assert stored["fields"][1]["maximum"] == 1
        assert stored["fields"][0]["doc"] == "The photo."

    run(settings, write)
    run(settings, read)


def register(settings: Settings, name: str, avro: Any) -> int:
    """Registers a schema as another program would, by Confluent's documented call. Gives its id."""
    answer = httpx.post(f"{settings.registry}/subjects/{name}/versions", json={"schema": json.dumps(avro)})
    return int(answer.raise_for_status().json()["id"])


def fetch(settings: Settings, number: int) -> Any:
    """A schema as another program gets it."""
    return json.loads(httpx.get(f"{settings.registry}/schemas/ids/{number}").raise_for_status().json()["schema"])


def canonical(avro: Any) -> str:
    """A schema in Avro's canonical form: a registry may write a name and its namespace apart."""
    return str(to_parsing_canonical_form(library.inline(avro)))


def test_other_programs_read_and_write(settings: Settings) -> None:
    """Another program sees our schema under the same id, and we read what it registered."""
    name = subject()

    async def scenario(registry: SchemaRegistry) -> None:
        ours = await registry.id_of(name, schema())
        assert canonical(await asyncio.to_thread(fetch, settings, ours)) == canonical(schema())
        theirs = await asyncio.to_thread(register, settings, name, library.inline(schema(OPTIONAL)))
        assert (await registry.schema_of(theirs))["fields"][3]["name"] == "more"

    run(settings, scenario)


OPTIONAL = {"name": "more", "type": ["null", "string"], "default": None}
REQUIRED = {"name": "more", "type": "string"}


def test_ids_are_stable_and_remembered(settings: Settings) -> None:
    """The same schema has the same id for every client and object, and once known nothing is asked again."""
    name = subject()

    async def scenario(registry: SchemaRegistry) -> None:
        first, second = schema(), copy.deepcopy(schema())
        ids = await asyncio.gather(*(registry.id_of(name, copied) for copied in (first, second) * 5))
        assert len(set(ids)) == 1
        read = await asyncio.gather(*(registry.schema_of(ids[0]) for _ in range(5)))
        assert all(again is read[0] for again in read)
        await registry.close()  # nothing may be asked from here on
        assert await registry.id_of(name, first) == ids[0]
        assert await registry.schema_of(ids[0]) is read[0]

    run(settings, scenario)


def test_incompatible_schemas_are_refused(settings: Settings) -> None:
    """With the BACKWARD rule the registry takes a new optional field and refuses a new required one; the reason names it."""
    name = subject()

    async def scenario(registry: SchemaRegistry) -> None:
        assert await registry.is_compatible(name, schema())
        assert await registry.latest(name) is None
        first = await registry.id_of(name, schema())
        await registry.set_compatibility(name)
        assert not await registry.is_compatible(name, schema(REQUIRED))
        with pytest.raises(Incompatible, match="more: older records lack this field"):
            await registry.id_of(name, schema(REQUIRED))
        assert await registry.is_compatible(name, schema(OPTIONAL))
        assert await registry.id_of(name, schema(OPTIONAL)) != first
        assert canonical(await registry.latest(name)) == canonical(schema(OPTIONAL))
        assert name in await registry.subjects()

    run(settings, scenario)


def test_unknown_id(settings: Settings) -> None:
    """A record with an unknown schema id is refused permanently, and a second one without asking the registry."""

    async def scenario(registry: SchemaRegistry) -> None:
        codec = Codec(registry)
        with pytest.raises(UnknownSchema):
            await codec.decode(frame(2**31 - 1, b"x"))
        await registry.close()
        with pytest.raises(UnknownSchema):
            await codec.decode(frame(2**31 - 1, b"x"))

    run(settings, scenario)


def test_dangerous_schemas_of_strangers_are_refused(settings: Settings) -> None:
    """A schema that holds itself can be registered by anyone; a record that names it is refused before it is read."""
    node = {"type": "record", "name": "n.Node", "fields": [{"name": "next", "type": ["null", "n.Node"]}]}
    number = register(settings, subject(), node)

    async def scenario(registry: SchemaRegistry) -> None:
        codec = Codec(registry)
        with pytest.raises(Undecodable, match="holds itself"):
            await codec.decode(frame(number, b"\x02" * 100_000))
        await registry.close()
        with pytest.raises(Undecodable, match="holds itself"):
            await codec.decode(frame(number, b"\x02" * 100_000))

    run(settings, scenario)


def test_every_checked_in_schema_can_be_registered(settings: Settings) -> None:
    """The registry takes every record and every service's contract as we keep them."""
    prefix = uuid.uuid4().hex

    async def scenario(registry: SchemaRegistry) -> None:
        for name in library.names():
            assert await registry.id_of(f"{prefix}-{name}", library.load(name))
        for contract in load_contracts().values():
            assert await registry.id_of(f"{prefix}-{contract.name}-in", contract.input)
            assert await registry.id_of(f"{prefix}-{contract.name}-out", contract.output)

    run(settings, scenario)


def test_an_unavailable_registry_is_no_fault_of_the_record(unused_port: int) -> None:
    """Where nothing answers, every call says that the registry is away, naming where it was looked for."""

    async def scenario(registry: SchemaRegistry) -> None:
        codec = Codec(registry)
        with pytest.raises(RegistryUnavailable, match=str(unused_port)):
            await codec.encode("s", schema(), {"image": REF, "strength": 0.5})
        with pytest.raises(RegistryUnavailable):
            await codec.decode(frame(1, b""))

    run(Settings(registry=f"http://127.0.0.1:{unused_port}"), scenario)


def test_something_else_in_its_place(settings: Settings) -> None:
    """A server that is no registry is no registry: its 404 does not make a record's schema unknown for good."""
    assert httpx.get(settings.s3).status_code >= 400

    async def scenario(registry: SchemaRegistry) -> None:
        with pytest.raises(RegistryUnavailable):
            await registry.schema_of(1)

    run(Settings(registry=settings.s3), scenario)


def test_every_subject_is_seen_however_many_there_are(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry shows subjects in pages; all of them are read, each once."""

    async def scenario(registry: SchemaRegistry) -> None:
        names = [subject() for _ in range(7)]
        for name in names:
            await registry.id_of(name, schema())
        whole = await registry.subjects()
        assert set(names) <= set(whole)
        monkeypatch.setattr("schemas.registry.client._PAGE", max(2, len(whole) // 3))
        paged = await registry.subjects()
        assert set(names) <= set(paged)
        assert len(set(paged)) == len(paged)

    run(settings, scenario)


def referring(settings: Settings, name: str, avro: Any, *references: tuple[str, str]) -> int:
    """Registers a schema that refers to types of other subjects, each a type and its subject. Gives its id."""
    named = [{"name": type_, "subject": of, "version": 1} for type_, of in references]
    body = {"schema": json.dumps(avro), "references": named}
    return int(httpx.post(f"{settings.registry}/subjects/{name}/versions", json=body).raise_for_status().json()["id"])


def test_types_of_other_subjects_are_resolved(settings: Settings) -> None:
    """A schema that refers to others, which refer to others in turn, is given whole; also as the newest of its subject."""
    country, address, order = subject(), subject(), subject()
    code = {"type": "enum", "name": "shop.Country", "symbols": ["BE", "FR"]}
    referring(settings, country, code)
    house = {"type": "record", "name": "shop.Address", "fields": [{"name": "in", "type": "Country"}]}
    referring(settings, address, house, ("shop.Country", country))
    fields = [
        {"name": "of", "type": "Country"},
        {"name": "to", "type": "Address"},
        {"name": "by", "type": "millrace.Ref"},
    ]
    ref = {"type": "record", "name": "millrace.Ref", "fields": [{"name": "url", "type": "string"}]}
    another = subject()
    referring(settings, another, ref)
    whole = {"type": "record", "name": "shop.Order", "fields": fields}
    number = referring(
        settings, order, whole, ("shop.Country", country), ("shop.Address", address), ("millrace.Ref", another)
    )

    async def scenario(registry: SchemaRegistry) -> None:
        whole_schema = await registry.schema_of(number)
        assert whole_schema == await registry.latest(order)
        value = {"of": "BE", "to": {"in": "FR"}, "by": {"url": "x"}}
        assert binary.read(binary.write(whole_schema, value), whole_schema) == value

    run(settings, scenario)


def test_a_json_schema_is_recognized(settings: Settings) -> None:
    """It may be registered under a subject of ours: it is not read as Avro, and the newest of Avro is the one before it."""
    name = subject()

    async def scenario(registry: SchemaRegistry) -> None:
        await registry.id_of(name, schema())
        body = {
            "schema": json.dumps({"title": name, "type": "object", "properties": {"x": {"type": "string"}}}),
            "schemaType": "JSON",
        }
        async with httpx.AsyncClient() as http:
            answer = (await http.post(f"{settings.registry}/subjects/{name}/versions", json=body)).raise_for_status()
        for _ in range(2):  # the second time from memory
            with pytest.raises(OtherFormat) as refused:
                await registry.schema_of(int(answer.json()["id"]))
            assert refused.value.format == "JSON"
        newest = await registry.latest(name)
        assert newest is not None
        assert canonical(newest) == canonical(schema())

    run(settings, scenario)


def test_a_subject_that_was_deleted_is_registered_again(settings: Settings) -> None:
    """A process that uses a schema for long notices that the registry has lost it, and what it writes can be read again."""
    name = subject()

    async def main() -> None:
        async with SchemaRegistry(settings.registry, known_for=0.0) as registry:
            ours = schema()
            await registry.id_of(name, ours)
            assert await registry.has(name, ours)
            async with httpx.AsyncClient() as http:
                for permanent in ("", "?permanent=true"):
                    (await http.delete(f"{settings.registry}/subjects/{name}{permanent}")).raise_for_status()
            assert not await registry.has(name, ours)
            number = await registry.id_of(name, ours)
            assert await registry.has(name, ours)
            async with SchemaRegistry(settings.registry) as other_client:
                assert canonical(await other_client.schema_of(number)) == canonical(ours)

    asyncio.run(main())


def test_an_id_is_used_while_the_registry_is_unavailable(settings: Settings) -> None:
    """Asking again for an id costs nothing that was known: without an answer the old one is used."""

    async def main() -> None:
        async with SchemaRegistry(settings.registry, known_for=0.0) as registry:
            ours = schema()
            number = await registry.id_of(subject_of_ours, ours)
            registry._url = settings.s3  # something that is no registry
            assert await registry.id_of(subject_of_ours, ours) == number

    subject_of_ours = subject()
    asyncio.run(main())
