"""Text to words and punctuation, and back to text for people."""

import re
from collections.abc import Iterable

# A number with its points and commas; letters and digits with apostrophes inside; a line break; one other
# character that is no blank, as often as it is repeated.
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)+|[^\W_]+(?:['’][^\W_]+)*|\n|([^\s\w]|_)\1*")
_CLOSING = set(".,;:!?)]}%…»”") | {"...", "'", "’"}
_OPENING = set("([{#$£€¿¡«“")
_PAIRED = {'"'}
# How texts that are tokenised already write what stands between two parts of a word or number.
_JOINED = {"@-@": "-", "@,@": ",", "@.@": "."}
_ENDING = re.compile(r"['’](?:s|t|d|m|ll|re|ve)|n['’]t", re.IGNORECASE)  # of a word
_SENTENCE = re.compile(r"(?:^|\n|(?:\.[\"'”’)]*|[!?])\s)\W*(\w)|\b(i)\b")


def tokens(text: str, lines: bool = False) -> list[str]:
    """The words and punctuation of a text, in order; blanks go, and line breaks too but for ``lines``.

    ``don't`` and ``3,000.50`` are one token each, ``well-known`` is three, ``...`` is one.
    """
    found = (match.group() for match in _TOKEN.finditer(text))
    return [token for token in found if lines or token != "\n"]


def marked(text: str) -> list[str]:
    """What blanks separate, and line breaks: the tokens of a text that is tokenised already."""
    return re.findall(r"\n|[^\s]+", text)


def separated(text: str) -> str:
    """A text of people as texts that are tokenised already are written: blanks around every token, and
    "@-@" for a hyphen inside of a word."""
    joined = re.sub(r"(?<=\w)-(?=\w)", " @-@ ", text)
    each = (t if t in _JOINED else " ".join(tokens(t)) for t in marked(joined))
    return " ".join(each)


def capitalised(text: str) -> str:
    """A text in lower case with a capital at the beginning of each line and sentence, and for "I"."""
    return _SENTENCE.sub(lambda match: match.group().upper(), text)


def text_of(words: Iterable[str]) -> str:
    """A text that people read: no blank before a comma, none after a bracket that opens.

    A straight quotation mark opens and closes in turns within a line. Of a text written in the usual way
    ``text_of(tokens(text, lines=True))`` is that text, but for runs of blanks.
    """
    out, glued, open_quote = [], True, False
    for word in words:
        closes = word in _CLOSING or (word in _PAIRED and open_quote)
        if word == "\n":
            out.append(word)
            glued, open_quote = True, False
            continue
        joined, word = word in ("-", "/") or word in _JOINED, _JOINED.get(word, word)
        joined_before = _ENDING.fullmatch(word) is not None
        out.append(word if glued or closes or joined or joined_before else " " + word)
        glued = word in _OPENING or joined or (word in _PAIRED and not open_quote)
        if word in _PAIRED:
            open_quote = not open_quote
    return "".join(out)
