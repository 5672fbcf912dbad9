"""Tunes in ABC notation, to a Standard MIDI File that any player reads: the melody, without chords.

It knows what folk tunes need: keys and modes, accidentals that hold to the end of a bar, octaves, lengths,
broken rhythms, triplets and other tuplets, chords of notes, ties, repeats with first and second endings,
changes of key, metre and unit inside of a tune. Ornaments, words and chord names are passed over.
(ABC standard 2.1; Standard MIDI Files 1.0.)
"""

import re
import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

_TICKS = 480  # of a quarter note
_PAUSE = Fraction(1, 2)  # between two tunes, of a whole note
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_MODES = {"min": -3, "m": -3, "aeo": -3, "dor": -2, "phr": -4, "mix": -1, "lyd": 1, "loc": -5}
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_LENGTH = r"(\d*)(/*)(\d*)"
_TOKENS = re.compile(
    r'"[^"\n]*"|![^!\n]*!|\{[^}\n]*\}|\\'
    r"|\[(?P<field>[A-Za-z]):(?P<value>[^\]\n]*)\]"
    r"|(?P<ending>(?<=[|:])\s*\[?[12]|\[[12])"
    r"|(?P<bar>:*\|+[:\]]*|::+|:\|?)"
    r"|\((?P<tuplet>[2-9])"
    rf"|\[(?P<chord>(?:[\^_=]*[A-Ga-g][,']*[\d/]*\s*)+)\](?P<chord_length>{_LENGTH})"
    rf"|(?P<note>[\^_=]*[A-Ga-gzx][,']*)(?P<length>{_LENGTH})"
    r"|(?P<tie>-)|(?P<broken>[<>]+)"
)
_NOTE = re.compile(r"([\^_=]*)([A-Ga-gzx])([,']*)")
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # tuplets; others are in the time of two


class Note(NamedTuple):
    """Keys of a piano that sound together, 60 for the middle C, none for a rest; the length is in whole
    notes."""

    keys: tuple[int, ...]
    length: Fraction


def tunes(text: str) -> list[list[Note]]:
    """The notes of every tune of a text: of each block between empty lines that has a key, ``K:``. What is
    not music is passed over. [] where there is none."""
    blocks = re.split(r"\n\s*\n", text)
    found = [_notes(block) for block in blocks if re.search(r"^K:", block, re.MULTILINE)]
    return [notes for notes in found if any(note.keys for note in notes)]


def midi(played: Sequence[Sequence[Note]], tempo: int = 110) -> bytes:
    """A MIDI file of tunes one after the other, ``tempo`` quarters a minute. ValueError for no tune."""
    if not played:
        raise ValueError("no tune")
    track = b"\0\xff\x51\x03" + struct.pack(">I", round(6e7 / tempo))[1:] + b"\0\xc0\x49"  # a flute
    rest = Fraction(0)
    for notes in played:
        for keys, length in notes:
            for i, key in enumerate(keys):
                track += _ticks(rest * (i == 0)) + bytes([0x90, key, 90])
            for i, key in enumerate(keys):
                track += _ticks(length * (i == 0)) + bytes([0x80, key, 0])
            rest = Fraction(0) if keys else rest + length
        rest += _PAUSE
    track += b"\0\xff\x2f\0"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track


def _notes(block):
    """The notes of a tune, repeats played."""
    fields = {"M": "4/4", "L": "", "K": "C"}
    body, inside = [], False
    for line in block.split("\n"):
        field = re.match(r"([A-Za-z]):(?![:|])(.*)", line)
        if not field:
            body.append(line if inside else "")
        elif inside and field[1] in fields:
            body.append(f"[{field[1]}:{field[2].strip()}]")
        elif field[1] in fields:
            fields[field[1]] = field[2].strip()
            inside |= field[1] == "K"
    tokens = [m for m in _TOKENS.finditer("\n".join(body)) if m.lastgroup]
    return _Player(fields).play(_repeated(tokens))


def _repeated(tokens):
    """Tokens in the order in which they are played."""
    out, start, at, second = [], 0, 0, False
    while at < len(tokens):
        token = tokens[at]
        bar, ending = token["bar"] or "", (token["ending"] or "").strip(" [\n")
        if ending == "1" and second:  # the second time its bars are passed over
            while at < len(tokens) and (tokens[at]["ending"] or "").strip(" [\n") != "2":
                at += 1
            second, start = False, at
            continue
        out.append(token)
        at += 1
        if bar.startswith(":") and not second:
            at, second = start, True
        elif bar.startswith(":") or bar.endswith(":"):
            second, start = False, at
    return out


class _Player:
    """Plays tokens: what holds from one to the next."""

    def __init__(self, fields):
        self._out, self._bar = [], {}
        self._tied = self._tuplet = 0
        self._ratio, self._broken = Fraction(1), 0
        self._metre, self._unit, self._sharps = Fraction(1), Fraction(1, 8), {}
        for name, value in fields.items():
            self._field(name, value)

    def play(self, tokens):
        for token in tokens:
            if token["bar"]:
                self._bar = {}
            elif token["field"]:
                self._field(token["field"], token["value"])
            elif token["tuplet"]:
                self._tuplet = int(token["tuplet"])
                self._ratio = Fraction(_IN_TIME_OF.get(self._tuplet, 2), self._tuplet)
            elif token["tie"]:
                self._tied = 1
            elif token["broken"]:
                self._shorten(token["broken"])
            elif token["note"] or token["chord"]:
                heads = _NOTE.findall(token["chord"] or token["note"])
                self._sound(heads, token["chord_length"] or token["length"] or "")
        return self._out

    def _sound(self, heads, length):
        keys = tuple(k for k in map(self._key, heads) if k is not None)
        length = self._unit * _times(length) * (self._ratio if self._tuplet else 1)
        if self._broken:
            length *= (
                2 - Fraction(1, 2**self._broken) if self._longer else Fraction(1, 2**self._broken)
            )
        self._tuplet, self._broken = max(self._tuplet - 1, 0), 0
        if self._tied and self._out and keys and self._out[-1].keys == keys:
            self._out[-1] = Note(keys, self._out[-1].length + length)
        else:
            self._out.append(Note(keys, length))
        self._tied = 0

    def _key(self, head):
        """The key of a piano; None for a rest."""
        accidental, letter, octaves = head
        if letter in "zx":
            return None
        name = letter.upper()
        if accidental:
            self._bar[letter] = accidental.count("^") - accidental.count("_")
        sharp = self._bar.get(letter, self._sharps.get(name, 0))
        octave = octaves.count("'") - octaves.count(",") + letter.islower()
        return min(max(60 + _SEMITONES[name] + sharp + 12 * octave, 0), 127)

    def _shorten(self, signs):
        """a>b is a longer by half, b shorter; a<b the other way round."""
        self._broken, self._longer = min(len(signs), 3), signs[0] == "<"
        if self._out:
            keys, length = self._out[-1]
            part = Fraction(1, 2**self._broken)
            self._out[-1] = Note(keys, length * (part if self._longer else 2 - part))

    def _field(self, name, value):
        fraction = re.match(r"(\d+)/(\d+)", value)
        known = fraction and int(fraction[1]) and int(fraction[2])
        if name == "M":
            self._metre = Fraction(int(fraction[1]), int(fraction[2])) if known else Fraction(1)
            self._unit = Fraction(1, 8) if self._metre >= Fraction(3, 4) else Fraction(1, 16)
        elif name == "L" and known:
            self._unit = Fraction(int(fraction[1]), int(fraction[2]))
        elif name == "K" and (key := re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", value)):
            mode = key[3].lower()
            fifths = _FIFTHS[key[1]] + {"#": 7, "b": -7}.get(key[2], 0)
            fifths += _MODES.get("m" if mode == "m" else mode[:3], 0)
            order = "FCGDAEB" if fifths > 0 else "BEADGCF"
            self._sharps = {order[i % 7]: 1 if fifths > 0 else -1 for i in range(abs(fifths))}


def _times(length):
    """What a length such as "3/2", "/" or "2" multiplies the unit with."""
    top, slashes, bottom = re.fullmatch(_LENGTH, length).groups()
    top, bottom = int(top or 1) or 1, int(bottom) or 1 if bottom else 2 ** len(slashes)
    return Fraction(min(top, 64), min(bottom, 64))


def _ticks(length):
    """A time in ticks as MIDI's number of variable length."""
    ticks = round(length * 4 * _TICKS)
    out = bytes([ticks & 0x7F])
    while ticks := ticks >> 7:
        out = bytes([ticks & 0x7F | 0x80]) + out
    return out
