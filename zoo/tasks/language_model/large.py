"""Texts of files: a folder as one text, and texts that are larger than what is held in memory."""

import os
import sys
from pathlib import Path

from ml_collections import ConfigDict

from zoo.data.text import corpus, encoded, joined, stream, tokenizers
from zoo.data.text.encoded import Measured
from zoo.data.text.stream import Source
from zoo.data.text.vocabulary import KINDS


def source(config: ConfigDict) -> Source:
    """The file ``data.path``, or the files of that folder. Raises DataError for a folder without text."""
    d = config.data
    reading = {"encoding": d.encoding, "lowercase": d.lowercase}
    if not d.joined:
        return Source((Path(d.path),), d.path, **reading)
    files, binary = joined.listing(d.path, d.files, d.encoding)
    if remark := joined.remark(d.path, binary):
        print(f"note: {remark}", file=sys.stderr)
    return Source(files, d.path, joined=True, **reading)


def measured(config: ConfigDict, text: Source) -> Measured | None:
    """What is known of a text that is read from the cache; None for one that is held in memory: a small
    one, or one that is used in a way that needs it whole."""
    d = config.data
    if not os.path.isfile(text.files[0]) or text.size <= d.in_memory * 1e6:
        return None
    whole = {
        f"data.symbols={d.symbols}": d.symbols not in KINDS,
        f"data.batches={d.batches}": d.batches in ("prefixes", "windows"),
        "data.unwrap": d.unwrap,
        "kneser_ney": config.kneser_ney > 0,  # of an order that is chosen there is none, then
        "dynamic": config.dynamic,
        "start": config.start and _kind_of(config.start) not in KINDS,
    }
    if needs := [key for key, needed in whole.items() if needed]:
        print(
            f"note: {d.path} is held in memory whole ({text.size / 1e6:,.0f} MB): --config.{needs[0]} "
            "needs that",
            file=sys.stderr,
        )
        return None
    return encoded.measured(text, d.symbols, d.min_count, d.most, d.valid, d.test)


def parts(config: ConfigDict, text: Source) -> dict[str, str]:
    """The parts of a folder that is held in memory, as ``corpus.parts`` gives those of a file."""
    d = config.data
    whole = "".join(stream.pieces(text))
    return corpus.split(corpus.unwrapped(whole) if d.unwrap else whole, d.valid, d.test)


def _kind_of(run):
    return tokenizers.load(Path(run, "vocabulary.json")).kind
