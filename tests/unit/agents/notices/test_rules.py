"""Who is told of which runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.notices.rules import Rules
from streams.messages import Event, EventKind, Run
from streams.settings import SettingError

OPEN = {
    "MILLRACE_HTTP_ALLOW": "POST https://hooks.example.com",
    "MILLRACE_MAIL_HOST": "mail.example.com",
    "MILLRACE_MAIL_SENDER": "millrace@example.com",
    "MILLRACE_MAIL_RECIPIENTS": "*@example.com",
}
HOOK = "https://hooks.example.com/in?token=1"


def rules(folder: Path, entries: Any, environ: Mapping[str, str] = OPEN) -> Rules:
    """The rules of a file."""
    path = folder / "notify.yaml"
    path.write_text(entries if isinstance(entries, str) else yaml.safe_dump(entries))
    return Rules.read({**environ, "MILLRACE_NOTIFY": str(path)})


def ended(pipeline: str, kind: EventKind = EventKind.RUN_FAILED) -> Event:
    """The end of a run."""
    return Event(Run("r1", pipeline, "d", 0.0), kind)


def test_without_a_list_nobody_is_told() -> None:
    """No setting, no notices."""
    assert list(Rules.read({}).notices(ended("x"))) == []


def test_an_entry_takes_the_runs_that_it_names(tmp_path: Path) -> None:
    """By pattern and by how they ended; left out, it is every run that failed."""
    listed = rules(
        tmp_path,
        [
            {"runs": ["digit-train", "loan-*"], "when": ["finished", "failed"], "webhook": HOOK, "secret": "ops-hook"},
            {"email": ["a@example.com", "b@example.com"]},
        ],
    )

    def receivers(pipeline: str, kind: EventKind = EventKind.RUN_FAILED) -> list[str]:
        return [notice["target"] for notice in listed.notices(ended(pipeline, kind))]

    assert receivers("digit-train") == [HOOK, "a@example.com", "b@example.com"]
    assert receivers("loan-train", EventKind.RUN_FINISHED) == [HOOK]
    assert receivers("face-blur") == ["a@example.com", "b@example.com"]
    assert receivers("face-blur", EventKind.RUN_FINISHED) == receivers("loan-train", EventKind.RUN_CANCELLED) == []
    (first, *_) = listed.notices(ended("digit-train"))
    assert (first["channel"], first["secret"], first["kind"]) == ("webhook", "ops-hook", "run.failed")


def test_a_receiver_is_told_once(tmp_path: Path) -> None:
    """Two entries that name one receiver give one notice, whose id is the same whenever it is made."""
    listed = rules(tmp_path, [{"email": "a@example.com"}, {"runs": "x", "email": "a@example.com"}])
    first, again = list(listed.notices(ended("x"))), list(listed.notices(ended("x")))
    assert len(first) == 1
    assert first == again


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("webhook: x", "expected a list"),
        ("- [", "cannot be read"),
        ("- runs: 2020-99-99", "cannot be read: month must be"),
        ([{"webhok": HOOK}], "entry 1: expected some of"),
        ([{"email": "a@example.com"}, {"when": ["failed"]}], "entry 2: say a webhook or an email"),
        ([{"when": ["broken"], "email": "a@example.com"}], "finished, failed, cancelled"),
        ([{"webhook": "https://elsewhere.example/"}], "may not be called"),
        ([{"webhook": HOOK, "secret": "Not A Name"}], "the name of one"),
        ([{"email": "a@elsewhere.example"}], "is not allowed here"),
        ([{"runs": [1], "email": "a@example.com"}], "runs: expected a text"),
    ],
)
def test_a_wrong_entry_is_told_at_the_start(tmp_path: Path, entries: Any, said: str) -> None:
    """With the file, the entry and what is wrong; a token in an address is not repeated."""
    with pytest.raises(SettingError, match="MILLRACE_NOTIFY") as caught:
        rules(tmp_path, entries)
    assert said in str(caught.value)
    assert "token" not in str(caught.value)
