"""Labelled texts by name: of the registry, and of the documentation that every Python ships."""

import sys
from collections.abc import Callable

from zoo.data import registry
from zoo.data.errors import unknown_name
from zoo.data.text.corpus import read_text
from zoo.data.text.labelled import Labelled, read_labelled

_LEAST = 25  # paragraphs that a topic of the documentation must have
_SHORTEST = 60  # characters of a paragraph


def named(name: str) -> tuple[Labelled, Labelled | None]:
    """(texts, test texts of their own or None) of a named set. The licence of one that is not open is
    printed.

    docs:              paragraphs of the documentation that Python ships, labelled by their topic: that of
                       the longest page they stand on; no network, but not the same in every Python
    banking77:         questions to a bank, 77 intents, with a test part
    bbc:               news texts, five topics; not openly licensed
    sentence_polarity: sentences of film reviews, negative or positive

    Raises DataError for another name, and where the data cannot be had.
    """
    if name not in SETS:
        raise unknown_name("labelled set", name, SETS)
    return SETS[name]()


def _docs():
    from pydoc_data.topics import topics

    seen, by_topic = set(), {}
    for topic in sorted(topics, key=lambda t: (-len(topics[t]), t)):
        paragraphs = [" ".join(p.split()) for p in topics[topic].split("\n\n")]
        fresh = [p for p in paragraphs if len(p) >= _SHORTEST and p not in seen]
        seen.update(fresh)
        if len(fresh) >= _LEAST:
            by_topic[topic] = fresh
    rows = [(text, topic) for topic in sorted(by_topic) for text in by_topic[topic]]
    return Labelled(*zip(*rows, strict=True)), None


def _banking77():
    parts = (_file(f"banking77_{part}", label="category") for part in ("train", "test"))
    return tuple(parts)


def _bbc():
    print(f"bbc: {registry.licence('bbc')}", file=sys.stderr)
    return _file("bbc", label="category"), None


def _polarity():
    texts, labels = [], []
    for label in ("negative", "positive"):
        lines = read_text(registry.locate(f"polarity_{label}")).split("\n")
        lines = [line for line in lines if line.strip()]
        texts += lines
        labels += [label] * len(lines)
    return Labelled(tuple(texts), tuple(labels)), None


def _file(name, label):
    return read_labelled(registry.locate(name), label=label)


SETS: dict[str, Callable[[], tuple[Labelled, Labelled | None]]] = {
    "docs": _docs,
    "banking77": _banking77,
    "bbc": _bbc,
    "sentence_polarity": _polarity,
}
