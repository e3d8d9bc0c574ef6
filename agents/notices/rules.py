"""Who is notified of which runs: the operator's list, read strictly from the YAML file that MILLRACE_NOTIFY names.

- runs: [digit-train, "loan-*"]      # pipelines and services; left out: all
  when: [finished, failed]           # left out: failed
  webhook: https://hooks.example.com/millrace
  secret: ops-hook                   # what it is signed with, by name; left out: not signed
- email: [ops@example.com]
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from agents.notices import webhook
from agents.notices.mail import Mail
from agents.web.limits import Limits
from agents.web.secrets import NAME
from streams.lifecycle import RUN_ENDS, EventKind
from streams.messages import Event, message_id
from streams.service.errors import InvalidInput
from streams.settings import SettingError

SETTING = "MILLRACE_NOTIFY"
WEBHOOK, EMAIL = "webhook", "email"
KINDS = {status.value: kind for kind, status in RUN_ENDS.items()}
_FIELDS = frozenset({"runs", "when", WEBHOOK, EMAIL, "secret"})


@dataclass(frozen=True)
class Receiver:
    """A receiver of notices."""

    channel: str
    target: str
    secret: str = ""


@dataclass(frozen=True)
class Rule:
    """One entry of the list."""

    runs: tuple[str, ...]
    """Patterns of names."""
    kinds: frozenset[EventKind]
    receivers: tuple[Receiver, ...]

    def fits(self, event: Event) -> bool:
        """Return whether this rule notifies of the end of a run."""
        return event.kind in self.kinds and any(fnmatchcase(event.run.pipeline, pattern) for pattern in self.runs)


@dataclass(frozen=True)
class Rules:
    """The whole list; the default is empty."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Rules":
        """Read the rules from the file that the environment names. Raises SettingError naming the file, the entry and the problem."""
        path = (os.environ if environ is None else environ).get(SETTING, "")
        if not path:
            return cls()
        try:
            entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:  # an invalid date is a plain ValueError
            raise SettingError(f"{SETTING}: {path} cannot be read: {error}") from None
        if not isinstance(entries, list):
            raise SettingError(f"{SETTING}: {path}: expected a list of entries")
        limits, letters = Limits.read(environ), Mail.read(environ)
        return cls(
            tuple(
                _rule(f"{SETTING}: {path}: entry {at}", entry, limits, letters) for at, entry in enumerate(entries, 1)
            )
        )

    def notices(self, event: Event) -> Iterator[dict[str, Any]]:
        """Return the notices of the end of a run: rows for the history. Each receiver once, however many entries name it."""
        receivers = dict.fromkeys(receiver for rule in self.rules if rule.fits(event) for receiver in rule.receivers)
        for receiver in receivers:
            yield {
                "id": message_id(event.run.id, "notice", f"{receiver.channel} {receiver.target}", ()),
                "run": event.run.id,
                "pipeline": event.run.pipeline,
                "kind": event.kind.value,
                "channel": receiver.channel,
                "target": receiver.target,
                "secret": receiver.secret,
            }


def _rule(where: str, entry: Any, limits: Limits, letters: Mail) -> Rule:
    if not isinstance(entry, dict) or not entry.keys() <= _FIELDS:
        raise SettingError(f"{where}: expected some of {', '.join(sorted(_FIELDS))}")
    when = _texts(where, "when", entry.get("when", ["failed"]))
    if not set(when) <= KINDS.keys():
        raise SettingError(f"{where}: when: expected some of {', '.join(KINDS)}, got {', '.join(when)}")
    secret = entry.get("secret", "")
    if secret and not (isinstance(secret, str) and NAME.fullmatch(secret)):
        raise SettingError(f"{where}: secret: expected the name of one: lower-case letters, digits and dashes")
    receivers = [
        *(Receiver(WEBHOOK, text, secret) for text in _texts(where, WEBHOOK, entry.get(WEBHOOK, []))),
        *(Receiver(EMAIL, text) for text in _texts(where, EMAIL, entry.get(EMAIL, []))),
    ]
    if not receivers:
        raise SettingError(f"{where}: say a {WEBHOOK} or an {EMAIL}")
    for receiver in receivers:
        try:
            webhook.checked(receiver.target, limits) if receiver.channel == WEBHOOK else letters.check(receiver.target)
        except InvalidInput as refused:
            raise SettingError(f"{where}: {receiver.channel}: {refused.reason} ({refused.hint})") from None
    return Rule(
        _texts(where, "runs", entry.get("runs", ["*"])), frozenset(KINDS[key] for key in when), tuple(receivers)
    )


def _texts(where: str, name: str, value: Any) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text for text in texts):
        raise SettingError(f"{where}: {name}: expected a text, or a list of texts")
    return tuple(texts)
