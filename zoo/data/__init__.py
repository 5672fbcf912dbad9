"""Bytes to arrays: named corpora and files, vocabularies, and batches that are functions of a step.

    registry     named corpora: where they come from, checksums, licences, downloads
    text         bytes -> text: files, Gutenberg bodies, ``corpus``, ``split``
    vocabulary   text <-> int32 ids, by characters or bytes
    batches      (seed, step) -> indices -> windows of tokens, for training and for evaluation
    files        reading and writing whole files safely

What a user can get wrong raises ``DataError``: one line with the fault, its place, the remedy.
"""

from zoo.data.batches import (
    EvalLanes,
    check_size,
    chunks_indices,
    chunks_order,
    chunks_steps,
    eval_lanes,
    lanes_indices,
    lanes_order,
    lanes_steps,
    windows,
)
from zoo.data.errors import DataError
from zoo.data.registry import REGISTRY, Source, licence, locate
from zoo.data.text import corpus, gutenberg_body, read_text, split
from zoo.data.vocabulary import Vocabulary

__all__ = [
    "REGISTRY",
    "DataError",
    "EvalLanes",
    "Source",
    "Vocabulary",
    "check_size",
    "chunks_indices",
    "chunks_order",
    "chunks_steps",
    "corpus",
    "eval_lanes",
    "gutenberg_body",
    "lanes_indices",
    "lanes_order",
    "lanes_steps",
    "licence",
    "locate",
    "read_text",
    "split",
    "windows",
]
