"""Tunes in ABC notation, and their corpus."""

import struct
from fractions import Fraction

import pytest

from zoo.data import music, registry
from zoo.data.text import tunes


def played(body, head="M:4/4\nL:1/4\nK:C\n"):
    (notes,) = music.tunes(head + body)
    return [(*note.keys, float(note.length * 4)) for note in notes]  # lengths in quarter notes


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        ("C E g c' C,", [(60, 1), (64, 1), (79, 1), (84, 1), (48, 1)]),
        ("C2 D/2 E/ F3/2 G//", [(60, 2), (62, 0.5), (64, 0.5), (65, 1.5), (67, 0.25)]),
        ("C z2 x/", [(60, 1), (2,), (0.5,)]),
        ("^F F _F =F | F", [(66, 1), (66, 1), (64, 1), (65, 1), (65, 1)]),
        ("C>D E<F", [(60, 1.5), (62, 0.5), (64, 0.5), (65, 1.5)]),
        ('"Am"C ~D !trill!E {cd}F', [(60, 1), (62, 1), (64, 1), (65, 1)]),
        ("[CEG]2 C-C C-D", [(60, 64, 67, 2), (60, 2), (60, 1), (62, 1)]),
        ("|:C D:|", [(60, 1), (62, 1), (60, 1), (62, 1)]),
        ("|:C |[1 D:|[2 E|| F", [(60, 1), (62, 1), (60, 1), (64, 1), (65, 1)]),
        ("C::D:|", [(60, 1), (60, 1), (62, 1), (62, 1)]),
        ("F [K:G] F\nK:F\nB", [(65, 1), (66, 1), (70, 1)]),
        ("C \\\nD", [(60, 1), (62, 1)]),
    ],
)
def test_notes_are_those_of_the_standard(body, notes):
    assert played(body) == notes


def test_three_are_played_in_the_time_of_two():
    lengths = [note.length for note in music.tunes("L:1/8\nK:D\n(3fga f2")[0]]
    assert lengths == [Fraction(1, 12)] * 3 + [Fraction(1, 4)]
    assert [note.keys[0] for note in music.tunes("K:D\nfc")[0]] == [78, 73]


@pytest.mark.parametrize(
    ("key", "sharps"),
    [
        ("G", 1),
        ("D", 2),
        ("Em", 1),
        ("Bm", 2),
        ("F", -1),
        ("Bb", -2),
        ("Dmix", 1),
        ("A dor", 1),
        ("C#", 7),
    ],
)
def test_keys_and_modes(key, sharps):
    natural = [60, 62, 64, 65, 67, 69, 71]
    notes = [note.keys[0] for note in music.tunes(f"K:{key}\nCDEFGAB")[0]]
    assert sum(notes) - sum(natural) == sharps


def test_a_metre_below_three_quarters_has_a_shorter_unit():
    assert music.tunes("M:2/4\nK:C\nC")[0][0].length == Fraction(1, 16)
    assert music.tunes("M:C|\nK:C\nC")[0][0].length == Fraction(1, 8)


def test_a_midi_file_has_the_notes_in_their_time():
    content = music.midi(music.tunes("L:1/4\nK:C\nC z D2\n\nK:C\nE"), tempo=120)
    assert content[:4] == b"MThd" and content[14:18] == b"MTrk"
    assert struct.unpack(">I", content[18:22])[0] == len(content) - 22
    at, now, events = 22, 0, []
    while at < len(content):
        delta = 0
        while True:
            delta, at = delta << 7 | content[at] & 0x7F, at + 1
            if content[at - 1] < 0x80:
                break
        now += delta
        kind = content[at]
        if kind in (0x90, 0x80):
            events.append((now, kind == 0x90, content[at + 1]))
        at += 3 if kind in (0x90, 0x80) else 2 if kind == 0xC0 else 3 + content[at + 2]
    on = [(t / 480, key) for t, starts, key in events if starts]
    off = [(t / 480, key) for t, starts, key in events if not starts]
    assert on == [(0, 60), (2, 62), (6, 64)]  # half a whole note between two tunes
    assert off == [(1, 60), (4, 62), (6.5, 64)]


@pytest.mark.parametrize("text", ["", "no tune", "K:C\n", "K:C\nz z |", "M:0/0\nL:0/0\nK:\n::||::"])
def test_what_is_no_music_gives_no_tune(text):
    assert music.tunes(text) == []
    with pytest.raises(ValueError, match="no tune"):
        music.midi(music.tunes(text))


def test_broken_music_is_played_as_far_as_it_goes():
    assert played("C//////D/0 E999999 ((( [CE -- >>>>> :| 99 F") != []


def test_the_corpus_has_each_tune_once_in_an_order_of_no_meaning():
    one = "X: 1\nT:One\n% remark\nK:C\nCD|\n\nX: 2\nT:Two\nK:D\nEF|\n"
    two = "X: 1\nT:Two\nK:D\nEF|\n\n\n"
    text = tunes.joined([one, two])
    assert text == tunes.joined([two, one])
    assert sorted(text.strip().split("\n\n")) == ["T:One\nK:C\nCD|", "T:Two\nK:D\nEF|"]
    assert len(registry.parts("nottingham")) == 14 and "GPL" in registry.licence("nottingham")
