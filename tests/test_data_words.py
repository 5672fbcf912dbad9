"""Words and punctuation out of a text, and a text for people out of them."""

import pytest

from zoo.data.text.words import text_of, tokens

CASES = {
    "It's a well-known fact.": ["It's", "a", "well", "-", "known", "fact", "."],
    "Wait... what?!": ["Wait", "...", "what", "?", "!"],
    "3,000.50 € at 10:30": ["3,000.50", "€", "at", "10:30"],
    "l’été, naïve": ["l’été", ",", "naïve"],
    "a_b  c\td": ["a", "_", "b", "c", "d"],
    "日本語。": ["日本語", "。"],
    "": [],
    " \n ": [],
}


@pytest.mark.parametrize("text", CASES)
def test_tokens(text):
    assert tokens(text) == CASES[text]


def test_line_breaks_are_tokens_where_asked():
    assert tokens("a\nb\n\nc", lines=True) == ["a", "\n", "b", "\n", "\n", "c"]


@pytest.mark.parametrize(
    "text",
    [
        'She said: "Well, well-known (or not) at 3.5 %, isn\'t it?"\nThen she left.',
        'One "two" three "four".\n"Five," said he; "six!"',
        "Yes... [sic] – no",
    ],
)
def test_a_text_comes_back_as_it_was(text):
    got = text_of(tokens(text, lines=True))
    assert got == text.replace("3.5 %", "3.5%")
