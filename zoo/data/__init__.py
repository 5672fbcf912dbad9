"""Bytes to arrays: named corpora and files, vocabularies, and batches that are functions of a step.

    registry     named corpora: where they come from, checksums, licences, downloads
    text         bytes -> text: files, Gutenberg bodies, ``corpus``, ``split``
    vocabulary   text <-> int32 ids, by characters or bytes
    files        reading and writing whole files safely

What a user can get wrong raises ``DataError``: one line with the fault, its place, the remedy.
"""

from zoo.data.errors import DataError
from zoo.data.registry import REGISTRY, Source, licence, locate
from zoo.data.text import corpus, gutenberg_body, read_text, split
from zoo.data.vocabulary import Vocabulary

__all__ = [
    "REGISTRY",
    "DataError",
    "Source",
    "Vocabulary",
    "corpus",
    "gutenberg_body",
    "licence",
    "locate",
    "read_text",
    "split",
]
