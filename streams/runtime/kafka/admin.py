"""Creating topics and checking them: brokers never create one by themselves."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from streams.errors import Blame
from streams.kafka_settings import Brokers
from streams.runtime.errors import RuntimeFault
from streams.wire.topic_specs import TopicSpec

log = logging.getLogger(__name__)
_TIMEOUT = 30.0
_EMPTY = (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD)


class WrongTopic(RuntimeFault):
    """An existing topic cannot be used; the message says which, why, and what to do."""

    blame = Blame.OPERATOR


class Admin:
    """Administers topics and groups. Calls block in the client, so each runs in a thread; all raise KafkaException in an outage."""

    def __init__(self, brokers: Brokers) -> None:
        self._client = AdminClient({**brokers.confluent(), "log_level": 2})

    async def ensure(self, specs: Iterable[TopicSpec], replication: int = 1) -> list[str]:
        """Create missing topics and return their names. Raises WrongTopic when an existing one does not fit."""
        return await asyncio.to_thread(self._ensure, list(specs), replication)

    async def ids(self, names: Sequence[str]) -> dict[str, str]:
        """Look up the id of each existing topic; a topic that is deleted and recreated gets another."""
        return await asyncio.to_thread(self._ids, names)

    async def names(self, prefix: str = "") -> list[str]:
        """List the existing topics with this prefix, sorted."""
        metadata = await asyncio.to_thread(self._client.list_topics, timeout=_TIMEOUT)
        return sorted(name for name in metadata.topics if name.startswith(prefix))

    async def delete(self, names: Iterable[str]) -> None:
        """Delete topics; missing ones are ignored."""
        await asyncio.to_thread(self._delete, list(names))

    async def attended(self) -> frozenset[str]:
        """List the consumer groups that have members now. A killed member counts until its session expires."""
        future = self._client.list_consumer_groups(request_timeout=_TIMEOUT)
        groups = await asyncio.to_thread(future.result, _TIMEOUT)
        return frozenset(group.group_id for group in groups.valid if group.state not in _EMPTY)

    async def members(self, groups: Iterable[str], seconds: float = _TIMEOUT) -> dict[str, int]:
        """Count the members that each group has now; 0 for a group that never existed."""
        wanted = list(groups)
        if not wanted:
            return {}
        futures = self._client.describe_consumer_groups(wanted, request_timeout=seconds)
        return {
            name: len((await asyncio.to_thread(future.result, seconds + 1)).members) for name, future in futures.items()
        }

    async def configuration(self, name: str) -> dict[str, str]:
        """Read the configuration of a topic from the broker."""
        return (await asyncio.to_thread(self._configurations, [name]))[name]

    async def unlike(self, names: Sequence[str], wanted: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Read the settings that differ from `wanted`, by topic; topics without any are left out.

        So are topics that this user may not look at: there, the operator of the cluster sets the configuration.
        """
        present = await asyncio.to_thread(self._configurations, names)
        differing = {
            name: {key: has[key] for key in wanted if has[key] != wanted[key]} for name, has in present.items()
        }
        return {name: settings for name, settings in differing.items() if settings}

    async def configure(self, names: Sequence[str], wanted: Mapping[str, str]) -> None:
        """Set these settings of topics, and leave the others. Logs a warning where this user may not."""
        await asyncio.to_thread(self._configure, names, wanted)

    def _configurations(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        futures = self._client.describe_configs(resources, request_timeout=_TIMEOUT)
        configurations = {}
        for resource, future in futures.items():
            try:
                configurations[resource.name] = {key: entry.value for key, entry in future.result(_TIMEOUT).items()}
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise
        return configurations

    def _configure(self, names: Sequence[str], wanted: Mapping[str, str]) -> None:
        if not names:
            return
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in wanted.items()
        ]
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries) for name in names]
        for resource, future in self._client.incremental_alter_configs(resources, request_timeout=_TIMEOUT).items():
            try:
                future.result(_TIMEOUT)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise
                settings = ", ".join(f"{key}={value}" for key, value in wanted.items())
                log.warning("topic %s needs %s, which this user may not set", resource.name, settings)

    def _ensure(self, specs: list[TopicSpec], replication: int) -> list[str]:
        existing = self._client.list_topics(timeout=_TIMEOUT).topics
        problems = [
            problem
            for spec in specs
            if spec.name in existing and (problem := spec.differs(len(existing[spec.name].partitions)))
        ]
        if problems:
            raise WrongTopic("; ".join(problems))
        missing = [spec for spec in specs if spec.name not in existing]
        if not missing:
            return []
        new = [NewTopic(spec.name, spec.partitions, replication, config=dict(spec.config)) for spec in missing]
        for name, future in self._client.create_topics(new, operation_timeout=_TIMEOUT).items():
            try:
                future.result(_TIMEOUT)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster
                    raise
            else:
                log.info("created topic %s", name)
        return [spec.name for spec in missing]

    def _ids(self, names: Sequence[str]) -> dict[str, str]:
        if not names:
            return {}
        futures = self._client.describe_topics(TopicCollection(list(names)))
        ids = {}
        for name, future in futures.items():
            try:
                ids[name] = str(future.result(_TIMEOUT).topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        return ids

    def _delete(self, names: list[str]) -> None:
        if not names:
            return
        for future in self._client.delete_topics(names, operation_timeout=_TIMEOUT).values():
            try:
                future.result(_TIMEOUT)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
