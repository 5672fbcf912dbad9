"""Bytes to arrays: named corpora and files, vocabularies, and batches that are functions of a step.

    registry     named corpora: where they come from, checksums, licences, downloads
    text         bytes -> text: files, Gutenberg bodies, ``corpus``, ``split``
    vocabulary   text <-> int32 ids, by characters or bytes
    series       CSV files -> series on a regular calendar; airline, etth1
    calendar     time stamps, frequencies, calendar features
    frames       series -> what a network reads, and back
    batches      (seed, step) -> indices -> windows of tokens, for training and for evaluation
    languages    texts in several languages; alphabet, characters of many scripts to ids
    files        reading and writing whole files safely

What a user can get wrong raises ``DataError``: one line with the fault, its place, the remedy.
"""

from zoo.data import calendar, frames
from zoo.data.alphabet import START, Alphabet, between_spaces, script, scripts_of
from zoo.data.batches import (
    EvalLanes,
    check_size,
    chunks_indices,
    chunks_order,
    chunks_steps,
    cut,
    eval_lanes,
    lanes_indices,
    lanes_order,
    lanes_steps,
    take,
    windows,
)
from zoo.data.errors import DataError
from zoo.data.files import read_bytes, write_bytes
from zoo.data.languages import UDHR, WORLD, Text, read_languages, read_lines
from zoo.data.languages import clean as clean_text
from zoo.data.registry import REGISTRY, Source, licence, locate
from zoo.data.series import (
    Table,
    digest,
    first_rows,
    load_table,
    named,
    read_series,
    save_table,
)
from zoo.data.text import corpus, gutenberg_body, read_text, split
from zoo.data.vocabulary import Vocabulary

__all__ = [
    "REGISTRY",
    "START",
    "UDHR",
    "WORLD",
    "Alphabet",
    "DataError",
    "EvalLanes",
    "Source",
    "Table",
    "Text",
    "Vocabulary",
    "between_spaces",
    "calendar",
    "check_size",
    "chunks_indices",
    "chunks_order",
    "chunks_steps",
    "clean_text",
    "corpus",
    "cut",
    "digest",
    "eval_lanes",
    "first_rows",
    "frames",
    "gutenberg_body",
    "lanes_indices",
    "lanes_order",
    "lanes_steps",
    "licence",
    "load_table",
    "locate",
    "named",
    "read_bytes",
    "read_languages",
    "read_lines",
    "read_series",
    "read_text",
    "save_table",
    "script",
    "scripts_of",
    "split",
    "take",
    "windows",
    "write_bytes",
]
