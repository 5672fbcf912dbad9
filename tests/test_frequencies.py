"""Lists of frequent words as training text of languages."""

import json
import re
import sys
import types
from collections import Counter

import numpy as np
import pytest

import train
from zoo import cli, predict
from zoo.data.errors import DataError
from zoo.data.text import frequencies

ENGLISH = {
    "the": 0.05,
    "of": 0.03,
    "house": 1e-3,
    "mp3": 1e-3,
    "Don’t": 2e-3,
    "don’t": 1e-3,
    "été": 1e-6,
}
FRENCH = {"le": 0.05, "été": 1e-3, "the": 1e-4, "maison": 1e-3, "слово": 1e-3}


@pytest.fixture
def package(monkeypatch):
    """A package wordfreq of two languages."""
    lists = {"en": ENGLISH, "fr": FRENCH}

    def get_frequency_dict(code):
        if code not in lists:
            raise LookupError(code)
        return lists[code]

    module = types.SimpleNamespace(get_frequency_dict=get_frequency_dict)
    monkeypatch.setitem(sys.modules, "wordfreq", module)


def test_words_of_letters_are_kept_where_they_are_at_home(package):
    words = frequencies.read("wordfreq", ("en", "fr"))
    assert sorted(words["en"]) == ["don’t", "house", "of", "the"]
    assert sorted(words["fr"]) == ["le", "maison", "été", "слово"]
    share = (2e-3 + 1e-3) / sum(v for w, v in ENGLISH.items() if w != "mp3")
    assert words["en"]["don’t"] == pytest.approx(share)


def test_a_text_has_words_of_its_scripts_by_the_root_of_their_frequency(package):
    words = frequencies.read("wordfreq", ("en", "fr"))["fr"]
    text = frequencies.drawn(words, ["LATIN"])
    assert text == frequencies.drawn(words, ["LATIN"])
    counts = Counter(text.split(" "))
    assert set(counts) == {"le", "maison", "été"} and counts.total() == 120_000
    assert counts["le"] / counts["maison"] == pytest.approx(np.sqrt(50), rel=0.01)
    assert frequencies.drawn(words, ["GREEK"]) == ""
    japanese = {"カタカナ": 0.5, "ひらがな": 0.5}
    assert set(frequencies.drawn(japanese, ["HIRAGANA"])) == set("カタカナひらがな"), "no spaces"
    mixed = frequencies.drawn({"字": 0.5, "ab": 0.5}, ["CJK", "LATIN"])
    assert "字字" in mixed and "字 ab ab" in mixed


def test_lists_of_ones_own_have_counts_or_an_order(tmp_path):
    (tmp_path / "en.txt").write_text("the\nof\n\nhouse\n")
    (tmp_path / "fr.txt").write_text("le\t30\nmaison\t10\n")
    words = frequencies.read(str(tmp_path), ("en", "fr"))
    assert words["fr"] == {"le": 0.75, "maison": 0.25}
    assert (
        list(words["en"]) == ["the", "of", "house"] and words["en"]["the"] == 2 * words["en"]["of"]
    )


def test_lists_that_cannot_be_had_are_told(package, tmp_path, monkeypatch):
    for source, code, content, told in [
        ("wordfreq", "xx", None, "it has no list of 'xx'"),
        ("nowhere", "en", None, "data.words=nowhere: no such folder; or wordfreq"),
        (str(tmp_path), "en", None, "en.txt' does not exist"),
        (str(tmp_path), "en", "the\tmany\n", "en.txt, line 1: 'many' is no count of 'the'"),
        (str(tmp_path), "en", "of\t1\nthe\t-3\n", "en.txt, line 2: '-3' is no count of 'the'"),
        (str(tmp_path), "en", " \n", "en.txt has no words"),
    ]:
        if content is not None:
            (tmp_path / "en.txt").write_text(content)
        with pytest.raises(DataError, match=re.escape(told)):
            frequencies.read(source, (code,))
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(DataError, match="not installed: pip install"):
        frequencies.read("wordfreq", ("en",))


def test_a_detector_learns_words_that_its_texts_do_not_have(tmp_path, capsys):
    texts, lists = tmp_path / "texts", tmp_path / "lists"
    for folder in (texts, lists):
        folder.mkdir()
    (texts / "en.txt").write_text("the house of the cat " * 40)
    (texts / "fr.txt").write_text("la maison de la chatte " * 40)
    (lists / "en.txt").write_text("wizzy\nwhy\nwyvern\n")
    (lists / "fr.txt").write_text("jolie\njoujou\nbijou\n")
    keys = [
        f"data.path={texts}",
        "data.languages=()",
        "baselines=none",
        "steps=60",
        "batch_size=32",
    ]
    keys += ["model.hidden=16", "optimizer.learning_rate=0.03", "data.ends=spaces"]
    command = [
        "train.py",
        "--config=configs/language_detector.py",
        *(f"--config.{k}" for k in keys),
    ]
    words = f"--config.data.words={lists}"
    assert cli.run(train.main, [*command, words, f"--run={tmp_path / 'run'}"]) == 0
    capsys.readouterr()
    (tmp_path / "lines.txt").write_text("wyvern\nbijou\nwhy\njolie\n")
    argv = ["predict", f"--run={tmp_path / 'run'}", f"--input={tmp_path / 'lines.txt'}"]
    assert cli.run(predict.main, argv) == 0
    told = [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["en", "fr", "en", "fr"]
    (lists / "en.txt").write_text("wizzy\nwhy\n")
    assert cli.run(train.main, [*command, words, f"--run={tmp_path / 'run'}"]) == 2
    assert "not the data that" in capsys.readouterr().err
