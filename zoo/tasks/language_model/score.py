"""What ``zoo.score`` says of a text by a language model: nats of every symbol, in parts of lines."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from zoo.bounds import PRECISIONS
from zoo.data.text import corpus
from zoo.data.text.line_parts import Piece, whole_lines
from zoo.errors import UserError
from zoo.generate import default_prompt
from zoo.models.stack import read_in
from zoo.tasks import adaptive_kneser_ney, kneser_ney
from zoo.tasks.language_model import dynamic, mixture, shades
from zoo.tasks.language_model.dynamic import Settings
from zoo.tasks.language_model.scoring import LONG, Reader

__all__ = ["Part", "Settings", "Sums", "check", "score", "shades", "symbol_rows"]
_SYMBOLS = 1 << 17  # of lines that wait to be read side by side, at most
_BY_PARTS = ("characters", "bytes")  # others need whole lines: a part could end inside of a word


class Part(NamedTuple):
    """Symbols of a line that follow each other.

    line:       its number, from 1; of a whole text 1
    ids:        (N,)
    characters: of the text, as the model reads it
    first:      whether the line begins with it
    last:       whether the line ends with it
    nats:       name -> (N,): "" of the model; where they were asked for "dynamic" and
                "adaptive_kneser_ney", "kneser_ney" and "mixed"
    """

    line: int
    ids: np.ndarray
    characters: int
    first: bool
    last: bool
    nats: dict[str, np.ndarray]


class Sums:
    """Sums over the symbols of parts, and their means."""

    def __init__(self):
        self.tokens = self.characters = self.unknown = 0
        self.nats = {}

    def add(self, part: Part, unknown_ids: Iterable[int]) -> None:
        """Counts a part in."""
        self.tokens += len(part.ids)
        self.characters += part.characters
        self.unknown += int(np.isin(part.ids, unknown_ids).sum())
        for name, nats in part.nats.items():
            self.nats[name] = self.nats.get(name, 0.0) + float(np.sum(nats, dtype=np.float64))

    def row(self) -> dict:
        """tokens, characters and unknown; for each reader nats, nats_per_token, bits_per_character."""
        row = {"tokens": self.tokens, "characters": self.characters, "unknown": self.unknown}
        for name, nats in (self.nats or {"": 0.0}).items():
            name = f"{name}_" if name else ""
            bits = nats / math.log(2)
            row |= {f"{name}nats": nats}
            row |= {f"{name}nats_per_token": nats / self.tokens if self.tokens else None}
            row |= {f"{name}bits_per_character": bits / self.characters if self.tokens else None}
        return row


def symbol_rows(vocabulary, part: Part) -> Iterator[dict]:
    """A row for each symbol: line, token, and for each reader probability and nats."""
    for i, token in enumerate(part.ids):
        row = {"line": part.line, "token": vocabulary.decode(part.ids[i : i + 1])}
        if token in vocabulary.unknown_ids:
            row["unknown"] = True
        for name, nats in part.nats.items():
            name = f"{name}_" if name else ""
            row |= {f"{name}probability": math.exp(-nats[i]), f"{name}nats": float(nats[i])}
        yield row


def check(task) -> None:
    """Raises UserError for a model that does not read symbol by symbol."""
    if not hasattr(task.model, "nats"):
        raise UserError(
            f"--run: its model reads windows ({task.config.data.batches}), one for each symbol; "
            "zoo.score is for models that read on: data.batches=lanes or chunks"
        )


def score(
    task,
    params,
    pieces: Iterable[Piece],
    *,
    whole: bool = False,
    member: str = "",
    settings: Settings | None = None,
    mixed: mixture.Mixed | None = None,
    precision: str = "float32",
) -> Iterator[Part]:
    """The parts of a text with their nats, in its order.

    whole:    one text with line breaks; else lines that know nothing of each other, without them
    settings: of dynamic evaluation, which then goes beside the model, as does a Kneser-Ney model that goes
              on counting; both need the training text of the run
    mixed:    a Kneser-Ney model for a mean of its probabilities and the model's
    precision: "bfloat16" for products of that type in the layers of the model that does not change
    """
    params = task.of_member(params, member)
    if task.vocabulary.kind not in _BY_PARTS:
        pieces = whole_lines(pieces)
    parts = _whole(task, pieces) if whole else _lines(task, pieces)
    start = int(task.vocabulary.encode(default_prompt(task.vocabulary))[0])
    if precision not in PRECISIONS:
        raise UserError(f"precision={precision}: must be one of {', '.join(PRECISIONS)}")
    reads = params if precision == "float32" else read_in(jnp.dtype(precision), params)
    plain = Reader(task.model, reads, start)
    if settings is None and mixed is None:
        yield from _plain(plain, parts)
        return
    readers = []
    if settings is not None:
        train, size = task.training_ids(member), task.vocabulary.size
        model = kneser_ney.fit(train, kneser_ney.best_order(train, size), size)
        readers.append(_Following(task, params, start, train, settings, model))
    if mixed is not None:
        readers.append(_Counting(mixed, start))
    for part, _ in parts:
        anew = part.first and not whole and part.line > 1
        nats = {"": plain.follow(part.ids, part.first)}
        for one in readers:
            nats |= one.read(part, anew, nats[""])
        yield part._replace(nats=nats)


class _Following:
    """Reads with parameters that follow the text, and counts that do."""

    def __init__(self, task, params, start, train, settings, model):
        if len(train) <= settings.segment:
            raise UserError(f"--dynamic: the training text has {len(train)} symbols, too few")
        self._follower = dynamic.Reader(task.model, params, start, train, settings)
        self._counting, self._start = adaptive_kneser_ney.Reader(model, np.array([start])), start

    def read(self, part, anew, own):
        if anew:
            self._counting.log_p(np.array([self._start]))
        return {
            "dynamic": self._follower.follow(part.ids, part.first),
            "adaptive_kneser_ney": -self._counting.log_p(part.ids),
        }


class _Counting:
    """Reads by a Kneser-Ney model, by itself and with the model."""

    def __init__(self, mixed, start):
        self._model, self._share, self._start = *mixed, start
        self._past = np.array([start])

    def read(self, part, anew, own):
        if anew:
            self._past = np.array([self._start])
        nats = -kneser_ney.log_p(self._model, self._past, part.ids)
        self._past = np.concatenate([self._past, part.ids])[-len(self._model.orders) :]
        return {"kneser_ney": nats, "mixed": mixture.nats(own, nats, self._share)}


def _plain(reader, parts):
    """Short lines side by side, others alone."""
    held, symbols = [], 0
    for part, waits in parts:
        short = part.first and part.last and len(part.ids) <= LONG
        if short:
            held.append(part)
            symbols += len(part.ids) + 1
        if not short or waits or symbols >= _SYMBOLS:
            yield from _together(reader, held)
            held, symbols = [], 0
        if not short:
            yield part._replace(nats={"": reader.follow(part.ids, part.first)})
    yield from _together(reader, held)


def _together(reader, held):
    if not held:
        return
    for part, nats in zip(held, reader.lines([part.ids for part in held]), strict=True):
        yield part._replace(nats={"": nats})


def _whole(task, pieces):
    """(Part, whether more has to be waited for) of a text."""
    first = True
    for piece in pieces:
        text = piece.text + "\n" * piece.ended
        yield _part(task, 1, text, first, False), piece.waits
        first = False
    yield Part(1, np.zeros(0, np.int32), 0, first, True, {}), True


def _lines(task, pieces):
    """The same of lines. A line that came in parts is put together, unless it is long."""
    begun, first = "", True
    for piece in pieces:
        begun += piece.text
        if not piece.last and len(begun) <= LONG:
            continue
        yield _part(task, piece.line, begun, first, piece.last), piece.waits
        begun, first = "", piece.last


def _part(task, line, text, first, last):
    text = corpus.prepare(text, task.config.data.lowercase)
    return Part(line, task.vocabulary.encode(text), len(text), first, last, {})
