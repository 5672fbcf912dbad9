"""Labelled texts in the forms that people have them in; faults with their line; splits that cover all."""

import os

import numpy as np
import pytest

from zoo.data.errors import DataError
from zoo.data.text import labelled, labelled_sets
from zoo.data.text.labelled import (
    Labelled,
    by_position,
    in_both,
    read_labelled,
    remarks,
    stratified,
)

ROWS = (("good, and long", "pos"), ("bad", "neg"), ('two\nlines, "so"', "pos"))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file_with_quotes_and_line_breaks_in_fields(tmp_path, delimiter):
    lines = [delimiter.join(["id", "label", "text"])]
    for i, (text, label) in enumerate(ROWS):
        quoted = text.replace('"', '""')
        lines.append(delimiter.join([str(i), label, f'"{quoted}"']))
    data = read_labelled(write(tmp_path / "a.csv", "\r\n".join(lines) + "\r\n"))
    assert data == Labelled(*zip(*ROWS, strict=True))


def test_json_lines(tmp_path):
    content = '{"label": 1, "text": "a"}\n\n{"text": "b", "label": "x", "more": []}\n'
    assert read_labelled(write(tmp_path / "a.jsonl", content)) == Labelled(("a", "b"), ("1", "x"))


def test_folders_of_files_and_of_sub_folders(tmp_path):
    write(tmp_path / "files/pos.txt", "good\n\nfine\n")
    write(tmp_path / "files/neg.txt", "bad\n")
    write(tmp_path / "files/.hidden", "x")
    want = Labelled(("bad", "good", "fine"), ("neg", "pos", "pos"))
    assert read_labelled(tmp_path / "files") == want
    write(tmp_path / "folders/pos/1.txt", "good\nand long\n")
    write(tmp_path / "folders/neg/deeper/1.txt", "bad")
    data = read_labelled(tmp_path / "folders")
    assert data == Labelled(("bad", "good\nand long\n"), ("neg", "pos"))


FAULTS = {
    "no such column": ("a.csv", "txt,label\na,b\n", "did you mean 'txt'?"),
    "no header": ("a.csv", "good,pos\nbad,neg\n", "the first line must name the columns"),
    "a column twice": ("a.csv", "text,text,label\na,b,c\n", "two columns are named 'text'"),
    "a ragged row": ("a.csv", "text,label\na,b\na,b,c\n", "line 3: 3 fields, the header has 2"),
    "after a text of two lines": ("a.csv", 'text,label\n"a\nb",b\n"c\nd"\n', "line 4: 1 fields"),
    "an open quote": ("a.csv", 'text,label\na,b\n"a,b\nc,d\n', "line 3: unexpected end"),
    "one column": ("a.csv", "text\na\nb\n", "column 'label' is unknown"),
    "no first line": ("a.csv", "\ntext,label\na,b\n", "the first line is empty"),
    "a zero byte": ("a.csv", "text,label\na\0b,x\n", "is binary (0x00 at byte 12)"),
    "a text for a header": ("a.csv", "word " * 1000 + ",x\n", "word …, x"),
    "nothing but a header": ("a.csv", "text,label\n", "holds no texts"),
    "not JSON": ("a.jsonl", '{"text": "a", "label": "b"}\n{\n', "line 2: not JSON"),
    "no object": ("a.jsonl", "[]\n", "line 1: list, must be an object"),
    "no such key": ("a.jsonl", '{"text": "a", "labels": "b"}\n', "did you mean 'labels'?"),
    "no string": ("a.jsonl", '{"text": 1, "label": "b"}\n', "'text' is 1, must be a string"),
    "no label": ("a.jsonl", '{"text": "a", "label": null}\n', "'label' is None"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_one_line_with_its_place(tmp_path, fault):
    name, content, words = FAULTS[fault]
    with pytest.raises(DataError) as caught:
        read_labelled(write(tmp_path / name, content))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_another_encoding_is_told_with_its_byte(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes("text,label\ncafé,b\n".encode("iso-8859-1"))
    with pytest.raises(DataError, match=r"is not UTF-8 \(0xe9 at byte 14"):
        read_labelled(file)
    file.write_bytes("text,label\na,b\n".encode("utf-16"))
    with pytest.raises(DataError, match="the mark of UTF-16"):
        read_labelled(file)


def test_a_text_may_be_as_long_as_a_book(tmp_path):
    book = "a word, " * 40_000
    data = read_labelled(write(tmp_path / "a.csv", f'text,label\n"{book}",x\n'))
    assert data.texts == (book,)


def test_files_that_are_no_text_are_named_and_left_out_only_if_asked(tmp_path):
    write(tmp_path / "pos/1.txt", "good")
    (tmp_path / "pos/2.bin").write_bytes(b"\0\1")
    write(tmp_path / "neg/1.txt", "bad")
    with pytest.raises(DataError, match=r"2\.bin' is binary.*skip_unreadable=True"):
        read_labelled(tmp_path)
    data = read_labelled(tmp_path, skip=True)
    assert data.take(np.array([1])).skipped == data.skipped
    assert data.texts == ("bad", "good") and data.skipped == (str(tmp_path / "pos/2.bin"),)
    write(tmp_path / "stray.txt", "x")
    with pytest.raises(DataError, match="holds folders and files"):
        read_labelled(tmp_path)


def test_remarks_name_what_may_be_a_mistake():
    assert remarks(Labelled(("a", "b"), ("x", "y"))) == []
    texts = ("a", "a", "a", " ", "b")
    said = " / ".join(remarks(Labelled(texts, ("Sport", "sport ", "Sport", "x", "x"))))
    assert "'Sport', 'sport ' differ only in case or blanks" in said
    assert "1 of 5 texts are empty" in said
    assert (
        len(remarks(Labelled(tuple("ab" * 50), tuple(f"{c}{i}" for i in range(50) for c in "xX"))))
        < 9
    )
    assert "2 of 5 texts stand there before" in said and "1 texts have more than one label" in said


def data(*sizes):
    labels = [f"class {i}" for i, n in enumerate(sizes) for _ in range(n)]
    return Labelled(tuple(f"text {i}" for i in range(len(labels))), tuple(labels))


def covers(parts, n):
    return sorted(np.concatenate(list(parts.values())).tolist()) == list(range(n))


def test_a_split_by_position_keeps_the_order():
    parts = by_position(data(6, 4), 0.1, 0.3)
    assert [p.tolist() for p in parts.values()] == [[0, 1, 2, 3, 4, 5], [6], [7, 8, 9]]


def test_a_stratified_split_gives_each_class_its_share_and_hangs_on_the_seed_alone():
    rows = data(40, 20, 1, 2)
    parts = stratified(rows, 0.25, 0.1, seed=3)
    assert covers(parts, 63)
    for name, shares in {"test": (4, 2), "valid": (10, 5)}.items():
        labels = rows.take(parts[name]).labels
        assert tuple(labels.count(f"class {i}") for i in (0, 1)) == shares
    assert set(rows.take(parts["train"]).labels) == set(rows.labels)
    again = stratified(rows, 0.25, 0.1, seed=3)
    assert all((again[name] == parts[name]).all() for name in parts)
    assert (stratified(rows, 0.25, 0.1, seed=4)["test"] != parts["test"]).any()


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0), (0, 1)])
def test_shares_that_leave_nothing_are_refused(shares):
    for split in (by_position, lambda *args: stratified(*args, seed=0)):
        with pytest.raises(DataError):
            split(data(5, 5), *shares)


def test_texts_in_both_parts_are_counted():
    assert in_both(Labelled(("a", "b"), ("x", "y")), Labelled(("b", "b", "c"), ("x",) * 3)) == 2
    assert labelled.in_both(Labelled((), ()), Labelled(("a",), ("x",))) == 0


SIZES = {
    "docs": None,
    "banking77": (10_003, 3080, 77),
    "bbc": (2225, None, 5),
    "sentence_polarity": (10_662, None, 2),
}


@pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="needs the real data")
@pytest.mark.parametrize("name", SIZES)
def test_named_sets_have_the_texts_that_they_are_known_for(name):
    whole, test = labelled_sets.named(name)
    assert len(whole.texts) == len(whole.labels)
    if SIZES[name]:
        found = len(whole.texts), test and len(test.texts), len(set(whole.labels))
        assert found == SIZES[name]
    if name == "bbc":
        assert len(labelled.distinct(whole).texts) == 2225 - 99
