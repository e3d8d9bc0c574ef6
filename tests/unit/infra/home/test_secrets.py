"""The passwords of a home."""

from pathlib import Path

from infra.local.home.secrets import Secrets, api_key


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """The same name gives the same secret, also to the next process; other names give others."""
    first = Secrets(tmp_path / "secrets")["a"]
    assert len(first) >= 32
    assert Secrets(tmp_path / "secrets")["a"] == first
    assert Secrets(tmp_path / "secrets")["b"] != first


def test_only_the_owner_can_read_a_secret(tmp_path: Path) -> None:
    """The API key and the passwords are files of mode 0600, and nothing half written stays beside them."""
    api_key(tmp_path)
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("api-key", 0o600)]


def test_a_key_that_is_there_is_kept(tmp_path: Path) -> None:
    """A key that the user chose is used."""
    (tmp_path / "api-key").write_text("chosen-by-the-user\n")
    assert api_key(tmp_path) == "chosen-by-the-user"
