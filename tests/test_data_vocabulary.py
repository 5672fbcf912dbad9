"""Vocabularies: any Unicode goes in and comes back; what was never seen is the unknown symbol."""

import json
import os
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.errors import DataError
from zoo.data.text.vocabulary import UNKNOWN, Vocabulary

TRICKY = "e\u0301é👩‍👩‍👧🇫🇷\U0010ffff\u0000\ufeff\u2028𝔘\ud800\udfff\ufffdß\n"


def fault(function, *arguments, **keywords) -> str:
    with pytest.raises(DataError) as caught:
        function(*arguments, **keywords)
    assert str(caught.value).isprintable(), "an error is one printable line"
    return str(caught.value)


@given(st.text(min_size=1))
def test_training_text_comes_back(text):
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32 and ids.shape == (len(text),)
    assert vocabulary.decode(ids) == text
    assert vocabulary.symbols == (UNKNOWN, *sorted(set(text) - {UNKNOWN}))
    assert vocabulary.unknown(text) == []


@given(st.text(min_size=1), st.text())
def test_ids_are_places_in_the_table_and_others_are_unknown(train, text):
    vocabulary = Vocabulary.from_text(train)
    ids = {symbol: i for i, symbol in enumerate(vocabulary.symbols)}
    assert vocabulary.encode(text).tolist() == [ids.get(c, 0) for c in text]
    shown = "".join(c if c in ids else UNKNOWN for c in text)
    assert vocabulary.decode(vocabulary.encode(text)) == shown
    assert vocabulary.unknown(text) == sorted(set(text) - set(ids))


@given(st.text())
def test_bytes_come_back(text):
    vocabulary = Vocabulary.from_text("", kind="bytes")
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32 and ids.tolist() == list(text.encode())
    assert vocabulary.decode(ids) == text
    assert vocabulary.size == 256 and vocabulary.unknown(text) == []


def test_every_kind_of_code_point_comes_back(tmp_path):
    vocabulary = Vocabulary.from_text(TRICKY)
    assert vocabulary.decode(vocabulary.encode(TRICKY)) == TRICKY
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary
    assert Vocabulary.from_text("a").encode(TRICKY).tolist() == [0] * len(TRICKY)
    Vocabulary.from_text("", "bytes").encode(TRICKY)


def test_bytes_cut_in_a_character_show_as_the_replacement():
    vocabulary = Vocabulary.from_text("", "bytes")
    assert vocabulary.decode(vocabulary.encode("aé")[:-1]) == "a" + UNKNOWN


@given(st.text(alphabet="abcd😀", min_size=1), st.integers(1, 4))
def test_rare_characters_train_the_unknown_symbol(text, min_count):
    vocabulary = Vocabulary.from_text(text, min_count=min_count)
    kept = {c for c in text if text.count(c) >= min_count}
    assert set(vocabulary.symbols[1:]) == kept
    assert np.sum(vocabulary.encode(text) == 0) == sum(c not in kept for c in text)


SENTENCES = 'The cat saw the dog.\nThe dog, "Rex", saw the cat; the cat ran.\n'


def test_words_come_back_as_a_text_and_rare_ones_are_unknown(tmp_path):
    vocabulary = Vocabulary.from_text(SENTENCES, "words")
    assert vocabulary.decode(vocabulary.encode(SENTENCES)) == SENTENCES
    assert vocabulary.symbols[:3] == (UNKNOWN, "cat", "the")
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary
    few = Vocabulary.from_text(SENTENCES, "words", min_count=2)
    assert few.decode(few.encode("The cat ate the dog.")) == f"The cat {UNKNOWN} the dog."
    assert few.unknown("Rex ran. The dog") == ["Rex", "ran"]
    assert Vocabulary.from_text(SENTENCES, "words", most=3).symbols == (UNKNOWN, "cat", "the")


@given(st.text())
def test_any_text_can_be_encoded_as_words(text):
    vocabulary = Vocabulary.from_text(SENTENCES, "words")
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32 and ids.ndim == 1
    assert set(ids.tolist()) <= set(range(vocabulary.size))


@given(st.text(min_size=1))
def test_words_of_a_text_are_single_words(text):
    vocabulary = Vocabulary.from_text(text, "words")
    assert (vocabulary.encode(text) > 0).sum() + text.count(UNKNOWN) >= len(vocabulary.encode(text))


def test_same_text_same_vocabulary_whatever_the_order():
    assert Vocabulary.from_text("hello") == Vocabulary.from_text("olleh")
    assert Vocabulary.from_text("cab").symbols == (UNKNOWN, "a", "b", "c")


def test_decodes_what_a_sampler_gives():
    import jax.numpy as jnp

    vocabulary = Vocabulary.from_text("abc")
    assert vocabulary.decode(jnp.array([1, 2, 3, 0])) == "abc" + UNKNOWN
    assert vocabulary.decode([]) == "" and vocabulary.encode("").shape == (0,)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([1, 4], "id 4 at position 1 is in no vocabulary of 4 symbols: ids go from 0 to 3"),
        ([-1], "id -1 at position 0"),
        ([0.5], "float64"),
        (["a"], "must be integers"),
    ],
)
def test_ids_of_something_else(ids, said):
    assert said in fault(Vocabulary.from_text("abc").decode, ids)


def test_wrong_settings():
    assert "did you mean 'characters'?" in fault(Vocabulary.from_text, "abc", kind="character")
    assert "min_count = 0" in fault(Vocabulary.from_text, "abc", min_count=0)
    assert "empty" in fault(Vocabulary.from_text, "")


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_saved_and_loaded_is_the_same(tmp_path, kind):
    path = tmp_path / "vocabulary.json"
    vocabulary = Vocabulary.from_text("A few words, naïve ones. 😀", kind)
    vocabulary.save(path)
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert os.listdir(tmp_path) == ["vocabulary.json"], "no draft is left"


GOOD = {"format": "lstm-zoo vocabulary 1", "kind": "characters", "symbols": [UNKNOWN, "a"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("A text.", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"format": "lstm-zoo', "not JSON (line 1)"),
        ([1, 2], "'format' is not"),
        ({**GOOD, "format": "another"}, "'format' is not"),
        ({**GOOD, "kind": "pieces"}, "'kind' is 'pieces'"),
        ({**GOOD, "symbols": None}, "starts with U+FFFD"),
        ({**GOOD, "symbols": ["a"]}, "starts with U+FFFD"),
        ({**GOOD, "symbols": [UNKNOWN, "ab"]}, "symbol 1 is 'ab'"),
        ({**GOOD, "symbols": [UNKNOWN, 7]}, "symbol 1 is 7"),
        ({**GOOD, "symbols": [UNKNOWN, "a", "b", "a"]}, "symbol 'a' is there more than once"),
    ],
)
def test_a_file_of_something_else_is_no_vocabulary(tmp_path, content, said):
    path = tmp_path / "v.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    message = fault(Vocabulary.load, path)
    assert said in message and "v.json" in message


def test_a_missing_or_binary_file_is_no_vocabulary(tmp_path):
    assert "does not exist" in fault(Vocabulary.load, tmp_path / "v.json")
    (tmp_path / "v.json").write_bytes(b"\x80\0")
    assert "binary" in fault(Vocabulary.load, tmp_path / "v.json")


def test_long_texts_take_seconds():
    text = "The quick brown fox, a naïve one, jumps. 😀\n" * 250_000
    start = time.perf_counter()
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert time.perf_counter() - start < 20, "about 1 s for 11 million characters"
