"""How Kafka is reached: in the words of each client, and refused where it does not go together."""

from pathlib import Path

import pytest
import trustme

from streams.kafka_settings import BadAccess, Brokers
from streams.settings import SettingError, Settings


def test_without_anything_said_it_is_plain() -> None:
    """The addresses are all that clients are told."""
    made = Settings.read({"MILLRACE_HOME": "/nowhere", "MILLRACE_KAFKA": "a:1,b:2"}).brokers
    assert made.aiokafka() == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}
    assert made.confluent() == {"bootstrap.servers": "a:1,b:2", "security.protocol": "PLAINTEXT"}


def test_a_user_with_a_password(tmp_path: Path) -> None:
    """The password is read from its file at each connection, without its line's end."""
    file = tmp_path / "password"
    made = Brokers("a:1", "SASL_PLAINTEXT", user="ada", password_file=str(file))
    with pytest.raises(FileNotFoundError):
        made.aiokafka()
    for password in ("first", "second"):
        file.write_text(f"{password}\n")
        assert made.aiokafka() == {
            "bootstrap_servers": "a:1",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "ada",
            "sasl_plain_password": password,
        }
        assert made.confluent()["sasl.password"] == password
    assert "second" not in repr(made)


def test_certificates(tmp_path: Path) -> None:
    """Brokers are verified by the authority and by their name; one's own certificate goes along."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    own = authority.issue_cert("me@example.com")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own"))
    files = {name: str(tmp_path / file) for name, file in (("ca", "ca"), ("certificate", "own"), ("key", "own"))}
    made = Brokers("a:1", "SSL", **files)
    context = made.aiokafka()["ssl_context"]
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1
    assert {name: made.confluent()[f"ssl.{name}.location"] for name in files} == files


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"KAFKA_PROTOCOL": "TLS"}, "KAFKA_PROTOCOL"),
        ({"KAFKA_PROTOCOL": "SASL_SSL", "KAFKA_USER": "ada"}, "KAFKA_PASSWORD_FILE"),
        ({"KAFKA_PROTOCOL": "SASL_SSL", "KAFKA_MECHANISM": "GSSAPI"}, "KAFKA_MECHANISM"),
        ({"KAFKA_PROTOCOL": "SSL", "KAFKA_CERTIFICATE": "x"}, "KAFKA_KEY"),
        ({"KAFKA_CA": "x"}, "KAFKA_CA"),
    ],
)
def test_contradicting_settings_are_refused(said: dict[str, str], names: str) -> None:
    """The message names the setting, before anything is connected."""
    environ = {"MILLRACE_HOME": "/nowhere", **{f"MILLRACE_{name}": value for name, value in said.items()}}
    with pytest.raises(SettingError, match=f"MILLRACE_.*{names}"):
        Settings.read(environ)
    with pytest.raises(BadAccess):
        Brokers("a:1", "TLS")
