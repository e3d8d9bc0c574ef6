"""Making topics and checking them: brokers never create one by themselves."""

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
    """An existing topic cannot serve; the message says which, why, and what to do."""

    blame = Blame.OPERATOR


class Admin:
    """Administration of topics. Its calls block in the client; each runs in a thread. All raise KafkaException when it is away."""

    def __init__(self, brokers: Brokers) -> None:
        self._client = AdminClient({**brokers.confluent(), "log_level": 2})

    async def ensure(self, specs: Iterable[TopicSpec], replication: int = 1) -> list[str]:
        """Makes the topics that are missing and returns their names. Raises WrongTopic for one that cannot serve."""
        return await asyncio.to_thread(self._ensure, list(specs), replication)

    async def ids(self, names: Sequence[str]) -> dict[str, str]:
        """The id of each existing topic; a topic that is deleted and made anew gets another."""
        return await asyncio.to_thread(self._ids, names)

    async def names(self, prefix: str = "") -> list[str]:
        """The existing topics whose name begins so."""
        found = await asyncio.to_thread(self._client.list_topics, timeout=_TIMEOUT)
        return sorted(name for name in found.topics if name.startswith(prefix))

    async def delete(self, names: Iterable[str]) -> None:
        """Deletes topics; those that do not exist are passed over."""
        await asyncio.to_thread(self._delete, list(names))

    async def attended(self) -> frozenset[str]:
        """The consumer groups that have members now. One that was killed counts until its session is over."""
        future = self._client.list_consumer_groups(request_timeout=_TIMEOUT)
        found = await asyncio.to_thread(future.result, _TIMEOUT)
        return frozenset(one.group_id for one in found.valid if one.state not in _EMPTY)

    async def members(self, groups: Iterable[str], seconds: float = _TIMEOUT) -> dict[str, int]:
        """How many members each of these groups has now; none for one that there never was."""
        wanted = list(groups)
        if not wanted:
            return {}
        futures = self._client.describe_consumer_groups(wanted, request_timeout=seconds)
        return {
            name: len((await asyncio.to_thread(future.result, seconds + 1)).members) for name, future in futures.items()
        }

    async def configuration(self, name: str) -> dict[str, str]:
        """The configuration of a topic as the broker has it."""
        return (await asyncio.to_thread(self._configurations, [name]))[name]

    async def unlike(self, names: Sequence[str], wanted: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """What of this configuration the broker has otherwise, by topic; topics that are as wanted are left out.

        So are those at which this user may not look: who may is the operator of the cluster, and sets it himself.
        """
        found = await asyncio.to_thread(self._configurations, names)
        differing = {name: {key: has[key] for key in wanted if has[key] != wanted[key]} for name, has in found.items()}
        return {name: one for name, one in differing.items() if one}

    async def configure(self, names: Sequence[str], wanted: Mapping[str, str]) -> None:
        """Sets this much of the configuration of topics; the rest is left as it is. Where this user may not, it says so."""
        await asyncio.to_thread(self._configure, names, wanted)

    def _configurations(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        futures = self._client.describe_configs(resources, request_timeout=_TIMEOUT)
        found = {}
        for resource, future in futures.items():
            try:
                found[resource.name] = {key: entry.value for key, entry in future.result(_TIMEOUT).items()}
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise
        return found

    def _configure(self, names: Sequence[str], wanted: Mapping[str, str]) -> None:
        if not names:
            return
        set_to = [ConfigEntry(key, one, incremental_operation=AlterConfigOpType.SET) for key, one in wanted.items()]
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=set_to) for name in names]
        for resource, future in self._client.incremental_alter_configs(resources, request_timeout=_TIMEOUT).items():
            try:
                future.result(_TIMEOUT)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise
                said = ", ".join(f"{key}={value}" for key, value in wanted.items())
                log.warning("topic %s needs %s, which this user may not set", resource.name, said)

    def _ensure(self, specs: list[TopicSpec], replication: int) -> list[str]:
        existing = self._client.list_topics(timeout=_TIMEOUT).topics
        wrong = [
            problem
            for spec in specs
            if spec.name in existing and (problem := spec.differs(len(existing[spec.name].partitions)))
        ]
        if wrong:
            raise WrongTopic("; ".join(wrong))
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
                log.info("made topic %s", name)
        return [spec.name for spec in missing]

    def _ids(self, names: Sequence[str]) -> dict[str, str]:
        if not names:
            return {}
        futures = self._client.describe_topics(TopicCollection(list(names)))
        found = {}
        for name, future in futures.items():
            try:
                found[name] = str(future.result(_TIMEOUT).topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        return found

    def _delete(self, names: list[str]) -> None:
        if not names:
            return
        for future in self._client.delete_topics(names, operation_timeout=_TIMEOUT).values():
            try:
                future.result(_TIMEOUT)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
