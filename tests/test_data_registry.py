"""Named corpora: found, checked, downloaded; a server on this machine stands in for the network."""

import hashlib
import http.server
import io
import os
import re
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from zoo.data.errors import DataError
from zoo.data.registry import REGISTRY, Source, licence, locate
from zoo.data.text.corpus import corpus

needs_data = pytest.mark.skipif(not os.environ.get("ZOO_DATA"), reason="ZOO_DATA is not set")

CONTENT = b"A small corpus.\r\n" * 300


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


ARCHIVE = zipped({"books/one.txt": CONTENT, "books/two.txt": b"Another text."})


class Server(http.server.ThreadingHTTPServer):
    """Answers each path in its own way, and counts the requests."""

    daemon_threads = True
    requests = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        if self.path == "/missing":
            self.send_error(404)
            return
        body = {"/other": b"Another text.", "/a.zip": ARCHIVE}.get(self.path, CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:1000] if self.path == "/cut" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The download cache, empty and not the user's; no ZOO_DATA, no proxy."""
    import pooch

    folder = tmp_path / "cache"
    monkeypatch.setattr(pooch, "os_cache", lambda project: folder / project)
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return folder / "lstm-zoo"


def register(monkeypatch, url: str, content: bytes = CONTENT) -> Source:
    row = Source(url, hashlib.sha256(content).hexdigest(), len(content), "free", "a/small.txt", "")
    monkeypatch.setitem(REGISTRY, "small", row)
    return row


def address(server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def fault(function, *arguments) -> str:
    with pytest.raises(DataError) as caught:
        function(*arguments)
    assert str(caught.value).isprintable(), "an error is one printable line"
    return str(caught.value)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_source_is_fixed_for_ever(name):
    row = REGISTRY[name]
    assert re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/.+", row.url)
    assert re.fullmatch("[0-9a-f]{64}", row.sha256)
    assert row.size > 0 and row.note and licence(name) == row.licence != ""
    assert not Path(row.local).is_absolute() and ".." not in Path(row.local).parts


def test_licence_of_docs_and_of_unknown_names():
    assert "Python Software Foundation" in licence("docs")
    assert "did you mean 'alice'?" in fault(licence, "alic")


def test_file_under_zoo_data_is_used_without_a_network(tmp_path, cache, monkeypatch):
    row = register(monkeypatch, "http://127.0.0.1:9/unreachable")
    path = tmp_path / "data" / row.local
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    assert locate("small") == path
    assert corpus("small") == CONTENT.decode().replace("\r\n", "\n")
    assert not cache.exists()


def test_other_content_under_zoo_data_is_an_error_in_words(tmp_path, cache, monkeypatch):
    row = register(monkeypatch, "http://127.0.0.1:9/unreachable")
    path = tmp_path / row.local
    path.parent.mkdir()
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    changed = CONTENT.replace(b"\r\n", b"\n")
    path.write_bytes(changed)
    message = fault(locate, "small")
    assert f"was changed ({len(changed):,} bytes instead of {row.size:,})" in message
    assert str(path) in message and row.url in message and row.sha256 not in message
    path.write_bytes(CONTENT[::-1])
    assert "as long, but not the same" in fault(locate, "small")
    path.write_bytes(b"")
    assert "is empty" in fault(locate, "small")
    path.unlink()
    path.mkdir()
    assert "is a directory" in fault(locate, "small")


def test_zoo_data_that_is_no_folder_is_an_error(tmp_path, cache, monkeypatch):
    register(monkeypatch, "http://127.0.0.1:9/unreachable")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "mistyped"))
    assert "mistyped' is no folder" in fault(locate, "small")


@pytest.mark.parametrize("zoo_data", ["", "an empty folder"])
def test_download_goes_to_the_cache_once(tmp_path, server, cache, monkeypatch, capfd, zoo_data):
    row = register(monkeypatch, address(server, "/good"))
    monkeypatch.setenv("ZOO_DATA", str(tmp_path) if zoo_data else "")
    assert locate("small") == cache / row.local
    assert files(cache) == [cache / row.local]
    assert (cache / row.local).read_bytes() == CONTENT
    assert locate("small") == cache / row.local and server.requests == 1
    out, err = capfd.readouterr()
    assert (out, err) == ("", ""), "no bar where stderr is no terminal"


def test_one_file_of_an_archive_is_unpacked_checked_and_kept(server, cache, monkeypatch):
    row = register(monkeypatch, address(server, "/a.zip"))._replace(member="books/one.txt")
    monkeypatch.setitem(REGISTRY, "small", row)
    for _ in range(2):
        assert locate("small") == cache / "a/small.txt"
        assert (cache / "a/small.txt").read_bytes() == CONTENT
    assert server.requests == 1
    assert sorted(p.name for p in cache.rglob("*") if p.is_file()) == ["small.txt"]
    (cache / "a/small.txt").write_bytes(b"spoilt")
    assert "was changed" in fault(locate, "small")


@pytest.mark.parametrize(
    ("path", "member"),
    [("/a.zip", "books/two.txt"), ("/a.zip", "books/none.txt"), ("/whole", "books/one.txt")],
)
def test_an_archive_without_the_right_file_leaves_nothing(server, cache, monkeypatch, path, member):
    row = register(monkeypatch, address(server, path))._replace(member=member)
    monkeypatch.setitem(REGISTRY, "small", row)
    assert "another file came" in fault(locate, "small")
    assert not [p for p in cache.rglob("*") if p.is_file()]


def test_a_spoilt_file_in_the_cache_is_downloaded_again(server, cache, monkeypatch):
    row = register(monkeypatch, address(server, "/good"))
    (cache / row.local).parent.mkdir(parents=True)
    (cache / row.local).write_bytes(CONTENT[:100])
    assert locate("small").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/missing", "status 404"), ("/other", "another file came"), ("/cut", "no connection")],
)
def test_failed_download_leaves_nothing_under_the_name(server, cache, monkeypatch, path, reason):
    row = register(monkeypatch, address(server, path))
    message = fault(locate, "small")
    assert row.url in message and reason in message
    assert files(cache) == []


def test_without_a_network_the_error_says_what_can_be_done(cache, monkeypatch):
    row = register(monkeypatch, "http://127.0.0.1:9/unreachable")
    message = fault(corpus, "small")
    assert row.url in message and "'docs'" in message
    assert f"FOLDER/{row.local}" in message and "ZOO_DATA=FOLDER" in message


def test_cache_that_cannot_be_written(tmp_path, server, cache, monkeypatch):
    register(monkeypatch, address(server, "/good"))
    cache.parent.write_bytes(b"a file where the folder should be")
    assert str(cache) in fault(locate, "small")


def test_progress_is_shown_on_a_terminal(server, cache, monkeypatch, capsys):
    register(monkeypatch, address(server, "/good"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert locate("small").read_bytes() == CONTENT
    out, err = capsys.readouterr()
    assert out == "" and "small" in err


def test_docs_have_no_file():
    assert "part of Python" in fault(locate, "docs")


@needs_data
@pytest.mark.parametrize("name", ["alice", "christmas_carol", "shakespeare"])
def test_real_files_are_those_of_the_table(name):
    path = locate(name)
    if path.is_relative_to(os.environ["ZOO_DATA"]):
        assert path.stat().st_size == REGISTRY[name].size
