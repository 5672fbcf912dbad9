"""Texts in several languages, and the alphabet of their characters."""

import os

import pytest

from zoo.data.errors import DataError
from zoo.data.text.alphabet import Alphabet, between_spaces, scripts_of
from zoo.data.text.languages import UDHR, WORLD, clean, read_languages

needs_data = pytest.mark.skipif(not os.environ.get("ZOO_DATA"), reason="ZOO_DATA is not set")


def test_a_language_has_all_scripts_of_its_writing_system():
    japanese = ["CJK", "HIRAGANA", "KATAKANA"]
    assert scripts_of("漢の") == scripts_of("ｶﾀｶﾅ") == scripts_of("アー") == japanese
    assert scripts_of("漢字") == ["CJK"] and scripts_of("ＡＢＣ") == ["LATIN"]
    assert scripts_of("漢ㄅ") == ["BOPOMOFO", "CJK"]


def test_an_alphabet_has_a_trained_unknown_symbol_for_each_script(tmp_path):
    alphabet = Alphabet.from_texts(["aab漢字字é1 ", "жжb"], min_count=2)
    assert alphabet.scripts == ("CJK", "CYRILLIC", "LATIN")
    ids = dict(zip("é字漢鬱ш1𝕏", alphabet.encode("é字漢鬱ш1𝕏").tolist(), strict=True))
    assert ids["é"] == alphabet.encode("x")[0]
    assert ids["漢"] == ids["鬱"] != ids["字"]
    assert ids["ш"] == alphabet.encode("Ж")[0] and ids["1"] == 1
    assert scripts_of("aé1 漢 ไ") == ["CJK", "LATIN", "THAI"]
    assert scripts_of("x" * 60 + "ж1") == ["LATIN"] and scripts_of("12 !") == []
    assert not len(alphabet.encode("")) and alphabet.encode("\ud800").tolist() == [1]
    alphabet.save(tmp_path / "a.json")
    assert Alphabet.load(tmp_path / "a.json") == alphabet
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(DataError, match="no alphabet"):
        Alphabet.load(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"en": b"abc abc", "fr": b""}, {}, "empty"),
        ({"en": b"abc abc", "fr": b"  x "}, {}, "'fr' has 1 characters; 4 are needed"),
        ({"en": b"abc abc", "fr": b"Abc  ABC"}, {}, "'fr' is that of 'en'"),
        ({"en": b"abc abc", "fr": b"caf\xe9 noir"}, {}, "fr.txt' is not utf-8 .0xe9 at byte 3"),
        ({"en": b"abc abc", "fr": b"caf\xe9"}, {"encodings": "fr=latin-9000"}, "no encoding"),
        ({"en": b"abc abc", "fr": b"cafe"}, {"encodings": "fe=utf-8"}, "did you mean 'fr'"),
        ({"en": b"abc abc", "fr": b"cafe"}, {"languages": ("en", "en")}, "'en' is given twice"),
        ({"en": b"abc abc", "fr": b"cafe"}, {"languages": ("en", "fx")}, "did you mean 'fr'"),
        ({"en": b"abc abc"}, {}, "languages=en: one language; two are needed"),
        ({}, {}, "one text file a language"),
    ],
)  # fmt: skip
def test_bad_language_files_are_named(tmp_path, files, options, message):
    for code, content in files.items():
        (tmp_path / f"{code}.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_languages("", str(tmp_path), shortest=4, **options)


def test_files_by_path_and_by_encoding(tmp_path):
    (tmp_path / "one").write_bytes("Ça  va\r\nbien".encode("iso-8859-1"))
    (tmp_path / "two").write_bytes("\ufeffHello\n\nthere".encode())
    path = f"fr={tmp_path}/one,en={tmp_path}/two"
    got = read_languages("", path, encodings="fr=iso-8859-1")
    assert got == [("en", "hello there"), ("fr", "ça va bien")]
    with pytest.raises(DataError, match="'fr' is given twice"):
        read_languages("", path + f",fr={tmp_path}/two")
    with pytest.raises(DataError, match="no such folder"):
        read_languages("", str(tmp_path / "none"))


@needs_data
def test_the_languages_of_the_archive():
    texts = read_languages("udhr", languages=WORLD)
    assert len(texts) == 27 and min(len(t.text) for t in texts) == 2988  # Chinese
    assert len(set(UDHR.values())) == len(UDHR) > 120
    for code in UDHR:
        assert len(code) == 2 and read_languages("udhr", languages=(code, "hsb"))
    assert {"cat", "nob", "cmn_hans"}.isdisjoint(t.code for t in read_languages("udhr"))
    assert [len(t.text) for t in read_languages("genesis")] == [195494, 191425]


def test_ends_are_spaces_only_where_a_script_has_them():
    assert between_spaces("abc") == " abc "
    assert between_spaces("漢字") == "漢字" and between_spaces("カa") == "カa "
    assert between_spaces("") == ""


def test_marks_are_joined_to_their_letters():
    assert clean("mo\u0302\u0301i\n  E\u0301", True) == "m\u1ed1i \u00e9"
