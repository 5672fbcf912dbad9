"""Tokenizers: every kind keeps one contract; texts come back, and so do tables that were saved."""

import csv
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import config as configs
from zoo import tasks
from zoo.data.errors import DataError
from zoo.data.text import tokenizers
from zoo.data.text.pieces import Pieces
from zoo.data.text.vocabulary import UNKNOWN
from zoo.tasks.classification import looks

ROOT = Path(__file__).parent.parent
TEXT = (
    "The cat, the naïve cat, sat.\nЖили-были дед да баба. 漢字と仮名 👩‍👩‍👧 😀 عربي e\u0301\n" * 3
)


def made(kind, text=TEXT, min_count=1, most=400):
    if kind == "pieces":
        pytest.importorskip("tokenizers")
    return tokenizers.make(kind, text, min_count, most)


@pytest.mark.parametrize("kind", tokenizers.KINDS)
def test_a_training_text_comes_back(kind):
    tokenizer = made(kind)
    ids = tokenizer.encode(TEXT)
    assert tokenizer.kind == kind
    assert ids.dtype == np.int32 and ids.ndim == 1 and 0 <= ids.min() <= ids.max() < tokenizer.size
    text = tokenizer.decode(ids)
    if kind in (
        "words",
        "tokenised",
    ):  # for people: a mark that no blank may precede or follow loses it
        assert tokenizer.encode(text).tolist() == ids.tolist()
        assert text.replace(" ", "") == TEXT.replace(" ", "")
    else:
        assert text == TEXT
    assert not np.isin(ids, tokenizer.unknown_ids).any() and tokenizer.unknown(TEXT) == []
    assert tokenizer.encode("").shape == (0,) and tokenizer.decode([]) == ""
    with pytest.raises(DataError, match="is in no vocabulary"):
        tokenizer.decode([tokenizer.size])


def test_sizes():
    distinct = len(set(TEXT))
    assert made("bytes").size == 256 and made("characters").size == distinct + 1
    assert made("words", most=5).size == 5
    assert made("alphabet").size == 2 + 6 + distinct
    assert made("alphabet").scripts == (
        "ARABIC",
        "CJK",
        "COMBINING",
        "CYRILLIC",
        "HIRAGANA",
        "LATIN",
    )


@pytest.mark.parametrize("kind", tokenizers.KINDS)
def test_what_was_never_seen_is_told_and_shown_as_the_replacement(kind):
    tokenizer = made(kind, "a b c\n")
    ids, unseen = tokenizer.encode("a Ω"), kind not in ("bytes", "pieces")
    assert tokenizer.unknown("Ω a Ω") == (["Ω"] if unseen else [])
    assert np.isin(ids, tokenizer.unknown_ids).any() == unseen
    assert tokenizer.decode(ids) == ("a " + UNKNOWN if unseen else "a Ω")


@pytest.mark.parametrize("kind", tokenizers.KINDS)
def test_saved_and_loaded_is_the_same_and_so_is_its_file(tmp_path, kind):
    tokenizer = made(kind, TEXT + "\ud800")
    tokenizer.save(tmp_path / "a.json")
    loaded = tokenizers.load(tmp_path / "a.json")
    assert type(loaded) is type(tokenizer) and loaded == tokenizer and loaded.kind == kind
    assert loaded.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()
    loaded.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_files_are_those_of_older_runs(tmp_path):
    made("characters", "ab").save(tmp_path / "v.json")
    made("alphabet", "aж").save(tmp_path / "a.json")
    assert (tmp_path / "v.json").read_text() == (
        '{"format": "lstm-zoo vocabulary 1", "kind": "characters", "symbols": ["\\ufffd", "a", "b"]}\n'
    )
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == (
        '{\n"format": "lstm-zoo alphabet 1",\n"scripts": [\n"CYRILLIC",\n"LATIN"\n],\n'
        '"characters": [\n"a",\n"ж"\n]\n}\n'
    )


PIECES, ALPHABET = {"format": "lstm-zoo pieces 1"}, {"format": "lstm-zoo alphabet 1"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("A text.", "not JSON"),
        ([1], "'format' is not"),
        ({}, "'format' is not"),
        ({"format": ["lstm-zoo pieces 1"]}, "'format' is not"),
        ({"format": "lstm-zoo vocabulary 1", "kind": "pieces"}, "'kind' is 'pieces'"),
        (PIECES, "'merges' must be a list"),
        ({**PIECES, "merges": [[1, 2], [1, 258]]}, "merge 1 is [1, 258], must be two ids from 1 to 257"),
        ({**PIECES, "merges": [[1, 2, 3]]}, "merge 0"),
        ({**PIECES, "merges": [[0, 1]]}, "merge 0"),
        ({**PIECES, "merges": [[1, 2], [1, 2]]}, "more than once"),
        (ALPHABET, "'scripts' must be"),
        ({**ALPHABET, "scripts": 5, "characters": []}, "'scripts' must be"),
        ({**ALPHABET, "scripts": [], "characters": ["ab"]}, "single characters"),
    ],
)  # fmt: skip
def test_a_file_of_something_else_is_no_tokenizer(tmp_path, content, said):
    path = tmp_path / "t.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError) as caught:
        tokenizers.load(path)
    assert said in str(caught.value) and "t.json" in str(caught.value)
    assert str(caught.value).isprintable()


def test_wrong_settings_are_told():
    with pytest.raises(DataError, match="did you mean 'pieces'"):
        tokenizers.make("piece", "abc")
    for kind in tokenizers.KINDS:
        with pytest.raises(DataError, match="min_count = 0"):
            tokenizers.make(kind, "abc", min_count=0)
    with pytest.raises(DataError, match="empty"):
        tokenizers.make("alphabet", "")
    with pytest.raises(DataError, match="most = 256 must be 257"):
        tokenizers.make("pieces", "abc", most=256)


def test_pieces_without_their_library_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DataError, match=r"pip install 'lstm-zoo\[pieces\]'$"):
        tokenizers.make("pieces", "abc")
    joined = Pieces(((98, 99),))
    assert joined.decode([257, 98, 0]) == "aba" + UNKNOWN


@given(st.text())
def test_bytes_of_any_text_come_back(text):
    tokenizer = tokenizers.make("bytes", "")
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.fixture(scope="module")
def pieces():
    return made("pieces")


@given(text=st.text())
def test_pieces_of_any_text_come_back(pieces, text):
    ids = pieces.encode(text)
    assert pieces.decode(ids) == text and not (ids == 0).any()


def test_pieces_are_frequent_neighbours_and_the_same_each_time(pieces):
    again = Pieces.from_text(TEXT, most=400)
    assert again == pieces and 257 < pieces.size <= 400
    assert [pieces.decode([i]) for i in pieces.encode("The cat")] == ["The", " cat"]
    assert made("pieces", most=260).size == 260 and made("pieces", most=257).size == 257
    assert made("pieces", "abab cd", min_count=2).merges == ((98, 99),)
    assert (
        pieces.decode(pieces.encode("a\ud800\r\n\u2028b\ufffd\0")) == "a\ufffd\r\n\u2028b\ufffd\0"
    )
    with pytest.raises(AttributeError):
        pieces.merges = ()


@pytest.mark.parametrize("symbols", ["pieces", "alphabet", "characters", "bytes"])
def test_a_classification_reads_texts_by_any_kind(tmp_path, symbols):
    if symbols == "pieces":
        pytest.importorskip("tokenizers")
    rows = [("an old apple", "fruit"), ("the new hammer", "tools")] * 20
    with open(tmp_path / "texts.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    config = configs.load(str(ROOT / "configs/text_classifier.py"))
    config.data.update({"path": str(tmp_path / "texts.csv"), "symbols": symbols, "buckets": 1})
    config.model.update({"embed": 4, "hidden": 4})
    config.ensemble.members = 1
    task = tasks.make(config)
    task.prepare(tmp_path)
    again = type(task).rebuild(config, tmp_path)
    assert again.vocabulary == task.vocabulary and again.vocabulary.kind == symbols
    params = task.init(jax.random.key(0))
    known = [r.get("known", True) for r in again.posterior(params, ["an apple", "", "Ω", "Ω a"])]
    assert known == [True, False, symbols in ("bytes", "pieces"), True]
    shown, values, _ = looks.influence(again, params, "an apple")
    assert "".join(shown) == "an apple" and len(shown) == len(values)
    assert again.hidden_id == {"alphabet": 1}.get(symbols, 0)
