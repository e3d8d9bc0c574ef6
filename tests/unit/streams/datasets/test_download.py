"""Public data is taken from the data directory, else fetched whole and with the right hash, or not at all."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from streams.datasets.catalogue import Entry, catalogue, entry
from streams.datasets.download import DataError, fetch, find, select

CONTENT = b"weights " * 1000


class Publisher(BaseHTTPRequestHandler):
    """Serves CONTENT under /file, one byte changed under /other, too much under /more, half of it under /half."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answers by path."""
        path = urlsplit(self.path).path
        self.asked.append(path)
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
            return
        bodies = {"/file": CONTENT, "/other": b"W" + CONTENT[1:], "/more": CONTENT * 2, "/half": CONTENT[:4000]}
        body = bodies.get(path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(CONTENT) if path == "/half" else len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def publisher() -> Iterator[str]:
    """The base URL of a real server on the loopback."""
    Publisher.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _entry(url: str) -> Entry:
    return Entry("models/a.onnx", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), url, "MIT", "")


@pytest.mark.parametrize("path", ["/file", "/moved"])
def test_a_file_is_fetched_once(publisher: str, tmp_path: Path, path: str) -> None:
    """What is missing is downloaded, redirects followed; what is there is not asked for again."""
    wanted = _entry(f"{publisher}{path}")
    assert find(wanted, tmp_path) is None
    first = fetch(wanted, tmp_path / "data")
    assert first.downloaded
    assert first.path.read_bytes() == CONTENT
    asked = len(Publisher.asked)
    second = fetch(wanted, tmp_path / "data")
    assert not second.downloaded
    assert second.path == find(wanted, tmp_path / "data")
    assert len(Publisher.asked) == asked


@pytest.mark.parametrize(
    ("path", "said"),
    [("/other", "SHA-256"), ("/more", "more than the 8,000 bytes"), ("/half", "cannot be reached"), ("/none", "404")],
)
def test_a_wrong_download_is_not_kept(publisher: str, tmp_path: Path, path: str, said: str) -> None:
    """Other content, too much, too little or none leaves nothing behind, and the error says which and from where."""
    with pytest.raises(DataError, match=said) as error:
        fetch(_entry(f"{publisher}{path}"), tmp_path)
    assert f"{publisher}{path}" in str(error.value)
    assert not list((tmp_path / "models").iterdir())


def test_offline(tmp_path: Path) -> None:
    """Without a network the error names the file, the URL and the way around."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/file"
    with pytest.raises(DataError, match=r"models/a.onnx: .*cannot be reached.*MILLRACE_DATA"):
        fetch(_entry(url), tmp_path)
    assert not list((tmp_path / "models").iterdir())


def test_another_file_is_never_overwritten(publisher: str, tmp_path: Path) -> None:
    """A file of that name with other content is somebody's: it stays, and the error says what to do."""
    path = tmp_path / "models" / "a.onnx"
    path.parent.mkdir()
    path.write_bytes(b"mine")
    wanted = _entry(f"{publisher}/file")
    assert find(wanted, tmp_path) is None
    with pytest.raises(DataError, match="remove it to fetch it again"):
        fetch(wanted, tmp_path)
    assert path.read_bytes() == b"mine"
    path.write_bytes(CONTENT)
    assert find(wanted, tmp_path) == path


def test_the_same_content_packed_otherwise(publisher: str, tmp_path: Path) -> None:
    """A gzip file that unpacks to what the catalogue means is as good; other content, or no gzip at all, is not."""
    wanted = replace(_entry(f"{publisher}/file"), unpacked=hashlib.sha256(b"content").hexdigest())
    path = tmp_path / wanted.name
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"content", 1))
    assert find(wanted, tmp_path) == path
    assert not fetch(wanted, tmp_path).downloaded
    for other in (gzip.compress(b"other content"), b"no gzip", gzip.compress(b"content")[:-3]):
        path.write_bytes(other)
        assert find(wanted, tmp_path) is None
        with pytest.raises(DataError, match="remove it to fetch it again"):
            fetch(wanted, tmp_path)


def test_a_file_made_from_another_says_how(tmp_path: Path) -> None:
    """A file that has to be made says from what and how."""
    with pytest.raises(DataError, match=r"not published in this form.*hdf5 with tf2onnx"):
        fetch(entry("models/gender_mini_XCEPTION.21-0.95.onnx"), tmp_path)


def test_a_directory_that_cannot_be_written(publisher: str, tmp_path: Path) -> None:
    """A data directory that is none is said to be the problem."""
    (tmp_path / "models").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        fetch(_entry(f"{publisher}/file"), tmp_path)


def test_names_choose_files_and_folders() -> None:
    """A name is a file or a folder of the catalogue; no name is all of it; an unknown one says what there is."""
    models = select(["models"])
    assert {one.name for one in models} >= {"models/face_detection_yunet_2023mar.onnx"}
    assert select(["models/", "models/face_detection_yunet_2023mar.onnx"]) == models
    assert select([]) == catalogue()
    with pytest.raises(DataError, match=r"modles: not in the data catalogue; .*faces, images, mnist, models"):
        select(["modles"])


def test_the_catalogue_is_whole() -> None:
    """Every entry has a hash, a size, a licence, and either a URL or how it is made; no name comes twice."""
    names = [one.name for one in catalogue()]
    assert names == sorted(set(names))
    for one in catalogue():
        assert len(bytes.fromhex(one.sha256)) == 32, one.name
        assert one.size > 0, one.name
        assert len(bytes.fromhex(one.unpacked)) == (32 if one.name.endswith(".gz") else 0), one.name
        assert one.licence, one.name
        assert one.url.startswith("https://") != bool(one.made_from), one.name
        assert not Path(one.name).is_absolute(), one.name
        assert ".." not in Path(one.name).parts, one.name
