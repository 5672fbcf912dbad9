"""Bytes to text: what is read, how it is cut, and one line for everything that cannot be read."""

import os
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.errors import DataError
from zoo.data.files import write_bytes
from zoo.data.text.corpus import corpus, gutenberg_body, prepare, read_text, split

needs_data = pytest.mark.skipif(not os.environ.get("ZOO_DATA"), reason="ZOO_DATA is not set")

BOOK = """\
Project Gutenberg's A Book, by A. Writer
*** START OF THIS PROJECT GUTENBERG EBOOK A BOOK ***

Produced by somebody

  CHAPTER I

One *** two.

End of Project Gutenberg's A Book, by A. Writer

*** END OF THIS PROJECT GUTENBERG EBOOK A BOOK ***
*** START: FULL LICENSE ***
"""


def fault(function, *arguments, **keywords) -> str:
    with pytest.raises(DataError) as caught:
        function(*arguments, **keywords)
    message = str(caught.value)
    assert message and message.isprintable(), "an error is one printable line"
    return message


def written(tmp_path, content: bytes):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return path


def test_reads_utf8_without_mark_and_with_lf_only(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbfone\r\ntwo\rthr\xc3\xa9e\n\r\n\xf0\x9f\x98\x80")
    assert read_text(path) == "one\ntwo\nthrée\n\n😀"


@pytest.mark.parametrize("lowercase", [False, True])
@given(st.text(alphabet="aBÉ\u0130 \r\n\u2028", min_size=1))
def test_a_prompt_is_prepared_as_a_training_text_is(tmp_path_factory, lowercase, text):
    path = written(tmp_path_factory.getbasetemp(), text.encode())
    prepared = prepare(text, lowercase)
    assert prepared == corpus("", path=path, lowercase=lowercase)
    assert "\r" not in prepared and prepare(prepared, lowercase) == prepared


def test_prepared_line_ends_and_letters():
    assert prepare("To Be\r\nOr\rNot\n\r", lowercase=False) == "To Be\nOr\nNot\n\n"
    assert prepare("To Be\r\nOR É", lowercase=True) == "to be\nor é"
    assert prepare("", lowercase=True) == ""


def test_a_byte_order_mark_inside_of_a_text_stays(tmp_path):
    assert read_text(written(tmp_path, "a\ufeffb".encode())) == "a\ufeffb"


def test_missing_file_names_the_path_and_the_first_missing_folder(tmp_path):
    assert "no such file" in fault(read_text, tmp_path / "none.txt")
    message = fault(read_text, tmp_path / "absent" / "deeper" / "none.txt")
    assert "none.txt" in message and f"{str(tmp_path)!r} has no folder 'absent'" in message
    assert "has no folder 'text.txt'" in fault(read_text, written(tmp_path, b"x") / "none.txt")
    assert "the path is empty" in fault(read_text, "")


def test_path_that_no_system_takes(tmp_path):
    assert "null" in fault(read_text, "a\0b")
    assert "cannot be read" in fault(read_text, tmp_path / ("x" * 5000))
    assert "\\n" in fault(read_text, "two\nlines")


def test_loop_of_links(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "cannot be read" in fault(read_text, loop)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path, content):
    message = fault(read_text, written(tmp_path, content))
    assert "empty" in message or "nothing else" in message


def test_directory(tmp_path):
    assert "is a directory" in fault(read_text, tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_fifo_and_socket_and_device_are_refused_without_opening_them(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo")
    assert "is a FIFO" in fault(read_text, tmp_path / "fifo")
    assert "is a character device" in fault(read_text, "/dev/zero")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert "is a socket" in fault(read_text, "socket")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_permission_denied(tmp_path):
    path = written(tmp_path, b"text")
    path.chmod(0)
    assert "permission denied" in fault(read_text, path)


def test_binary_file_names_the_first_zero_byte(tmp_path):
    assert "binary (0x00 at byte 3)" in fault(read_text, written(tmp_path, b"PNG\0\0\xff"))


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be"])
def test_utf16_is_named_where_it_has_a_mark(tmp_path, codec):
    message = fault(read_text, written(tmp_path, "\ufefftext".encode(codec)))
    assert "UTF-16" in message


@pytest.mark.parametrize(
    ("content", "offset", "byte"),
    [
        (b"caf\xe9 latin-1", 3, "0xe9"),
        (b"\xef\xbb\xbfab\xff", 5, "0xff"),
        (b"cut short \xf0\x9f\x98", 10, "0xf0"),
        ("é".encode() + b"\xed\xa0\x80", 2, "0xed"),
        (b"\r\n\r\n\x80", 4, "0x80"),
    ],
)
def test_invalid_utf8_names_byte_and_offset_in_the_file(tmp_path, content, offset, byte):
    message = fault(read_text, written(tmp_path, content))
    assert f"({byte} at byte {offset}," in message and "text.txt" in message


def test_write_is_there_completely_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "No space left" in fault(write_bytes, path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"], "no draft is left"
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert "cannot be written" in fault(write_bytes, tmp_path / "no" / "folder", b"new")
    assert "cannot be written" in fault(write_bytes, tmp_path, b"new")


def test_gutenberg_body_is_what_stands_between_the_markers():
    assert gutenberg_body(BOOK, "book") == "Produced by somebody\n\n  CHAPTER I\n\nOne *** two.\n"


@pytest.mark.parametrize(
    "marker",
    [
        "***START OF THE PROJECT GUTENBERG EBOOK A BOOK***",
        "*** Start of this Project Gutenberg EBook A Very\nLong Title ***",
        "*** START OF THIS PROJECT GUTENBERG EBOOK A BOOK",
    ],
)
def test_gutenberg_markers_of_other_years(marker):
    text = f"before\n{marker}\nbody\n*** END OF THE PROJECT GUTENBERG EBOOK ***\nafter\n"
    assert gutenberg_body(text, "book") == "body\n"


def test_gutenberg_markers_missing():
    assert "'book' has no line '*** START OF" in fault(gutenberg_body, "plain text", "book")
    message = fault(gutenberg_body, BOOK.split("*** END")[0], "book")
    assert "in line 2 but no '*** END OF …'" in message
    empty = "*** START OF X ***\n\n*** END OF X ***"
    assert "nothing between" in fault(gutenberg_body, empty, "book")


def test_docs_are_real_text_without_network_or_files(monkeypatch):
    monkeypatch.setenv("ZOO_DATA", "/nowhere")
    text = corpus("docs")
    assert len(text) > 300_000
    assert "\r" not in text and text == corpus("docs")
    assert text.startswith('The "assert" statement')


def test_python_without_its_docs(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "--config.data.path" in fault(corpus, "docs")


def test_a_path_comes_before_a_name_and_is_taken_as_it_is(tmp_path):
    path = written(tmp_path, BOOK.encode())
    assert corpus("alice", path=path) == BOOK
    assert corpus("docs", path=path, lowercase=True) == BOOK.lower()


@pytest.mark.parametrize(
    ("name", "nearest"), [("alise", "alice"), ("Shakespear", "shakespeare"), ("doc", "docs")]
)
def test_unknown_corpus_names_the_nearest_and_all(name, nearest):
    message = fault(corpus, name)
    assert f"did you mean {nearest!r}?" in message
    assert "alice, alice_chapters, christmas_carol, docs, docs_classes" in message


def test_unknown_corpus_without_a_near_one():
    assert "did you mean" not in fault(corpus, "zzz\nzzz")


@given(
    text=st.text(min_size=1),
    valid=st.sampled_from([0, 0.05, 0.1, 0.25, 0.5]),
    test=st.sampled_from([0, 0.05, 0.1, 0.25]),
)
def test_split_parts_joined_are_the_text_and_asked_parts_have_some(text, valid, test):
    try:
        parts = split(text, valid, test)
    except DataError:
        assert len(text) < 20
        return
    assert list(parts) == ["train", "valid", "test"]
    assert "".join(parts.values()) == text
    assert parts["train"] and bool(parts["valid"]) == (valid > 0)
    assert bool(parts["test"]) == (test > 0)


@pytest.mark.parametrize(
    ("n", "valid", "test", "lengths"),
    [
        (1115394, 0.1, 0.0, (1003854, 111540, 0)),
        (1000, 0.05, 0.05, (900, 50, 50)),
        (10, 0.3, 0.3, (4, 3, 3)),
        (7, 0, 0, (7, 0, 0)),
    ],
)
def test_split_cuts_where_a_person_expects(n, valid, test, lengths):
    assert tuple(map(len, split("x" * n, valid, test).values())) == lengths


@pytest.mark.parametrize("wrong", [-0.1, 1, 1.5, float("nan"), float("inf"), "many", None])
def test_split_refuses_what_is_no_fraction(wrong):
    assert f"valid = {wrong!r}" in fault(split, "x" * 100, valid=wrong)
    assert f"test = {wrong!r}" in fault(split, "x" * 100, test=wrong)


def test_split_refuses_to_leave_a_part_empty():
    assert "below 1 together" in fault(split, "x" * 100, 0.5, 0.5)
    assert "1 characters, none of them in its train part" in fault(split, "x")


@needs_data
@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("alice", "ALICE'S ADVENTURES IN WONDERLAND", "THE END"),
        ("christmas_carol", "Produced by Jose Menendez", "observed, God bless Us, Every One!"),
    ],
)
def test_real_books_begin_and_end_with_the_book(name, first, last):
    text = corpus(name)
    lines = text.split("\n")
    assert lines[0] == first and lines[-2].strip() == last and lines[-1] == ""
    assert "gutenberg" not in text.lower() and "\r" not in text


@needs_data
def test_real_chapters_of_alice_have_as_many_kinds_of_characters_as_the_text_of_source_002():
    text = corpus("alice_chapters", lowercase=True)
    assert (len(text), len(set(text))) == (144_321, 43)
    assert text.startswith("chapter i. down") and text.endswith("summer days.\n\n")


@needs_data
def test_real_shakespeare_is_the_reference_corpus():
    text = corpus("shakespeare")
    assert (len(text), len(set(text))) == (1115394, 65)
    assert corpus("shakespeare", lowercase=True) == text.lower()
