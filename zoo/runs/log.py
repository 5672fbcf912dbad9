"""metrics.jsonl and samples.txt: what a run has said on its way."""

import json
import os
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from zoo.data.files import write_bytes
from zoo.errors import UserError
from zoo.runs import folder

_HEAD = "════ step "
_BLOCKS = re.compile(rf"^{_HEAD}(\d{{1,18}}), (.*) ════\r?$", re.MULTILINE)


class Sample(NamedTuple):
    """A block of samples.txt: the step, what was measured there, and what the model said."""

    step: int
    title: str
    text: str


class Log:
    """metrics.jsonl of a run that goes on after ``step``. What it and samples.txt say of later steps is
    dropped first.

    Damaged lines are left out, and the file as it was is kept in the folder ``damaged``; a last line that
    was cut off is what a killed run leaves.
    """

    def __init__(self, run: Path, step: int):
        self.path = run / "metrics.jsonl"
        lines = _lines(self.path)
        points = [_point(line) for line in lines]
        if damaged := [i for i, point in enumerate(points[:-1], 1) if point is None]:
            kept = folder.aside(run, self.path.name)
            write_bytes(kept, self.path.read_bytes())
            print(
                f"warning: {self.path}: line {damaged[0]} is damaged and left out"
                f"{_more(damaged)}; the file as it was is {kept}",
                file=sys.stderr,
            )
        write_bytes(
            self.path, "".join(_line(p) for p in points if p and p["step"] <= step).encode()
        )
        if any(at > step for at, _ in _samples(run)):
            _cut_samples(run, step + 1)

    def add(self, record: dict) -> None:
        """Appends one object and puts it on disk. Raises UserError where the disk is full."""
        try:
            with open(self.path, "a", encoding="utf-8") as out:
                out.write(_line(record))
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written: {error.strerror}; make room, and run the same command "
                "again, which goes on from the last checkpoint"
            ) from error


def read(run: Path) -> list[dict]:
    """The log points of metrics.jsonl; lines that are none are left out."""
    return [point for line in _lines(run / "metrics.jsonl") if (point := _point(line))]


def read_whole(run: Path) -> list[dict]:
    """As ``read``. Raises UserError that names the line where one that is not the last is no log point."""
    file = run / "metrics.jsonl"
    points = [_point(line) for line in _lines(file)]
    if None in points[:-1]:
        raise UserError(
            f"{file}, line {points.index(None) + 1} is damaged; delete that line, or, of a run that is not "
            "finished, run its training command again, which leaves it out"
        )
    return [point for point in points if point]


def _lines(file):
    """The lines of a file; no lines where it is none."""
    try:
        return file.read_bytes().decode(errors="replace").splitlines() if file.is_file() else []
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None


def _point(line):
    """The log point that a line holds; None where it holds none."""
    try:
        record = json.loads(line)
        step, seconds = record["step"], record["seconds"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    right = type(step) is int and isinstance(seconds, int | float)
    right &= all(isinstance(value, int | float | list | None) for value in record.values())
    return record if right else None


def _more(numbers):
    return f", and {len(numbers) - 1} more" if len(numbers) > 1 else ""


def samples(run: Path) -> list[Sample]:
    """The blocks of samples.txt that were written on the way, in the order of their steps."""
    found = []
    for step, block in _samples(run):
        head, _, text = block.partition("\n")
        found.append(Sample(step, _BLOCKS.match(head)[2], text.strip("\n")))
    return found


def add_sample(run: Path, step: int, title: str, text: str) -> None:
    """Appends what the model says at ``step`` to samples.txt; what stands there of that step or later
    (from before a restart) is dropped."""
    # A line of the text that looks like a head is set off by a space, so that none is taken for one.
    text = re.sub(rf"^(?={_HEAD})", " ", text, flags=re.MULTILINE)
    _cut_samples(run, step, f"{_HEAD}{step}, {title} ════\n{text}\n\n")


def last_sample(run: Path) -> str | None:
    """The text of the last block of samples.txt, without its head; None where there is none."""
    blocks = _samples(run)
    return blocks[-1][1].partition("\n")[2] if blocks else None


def _cut_samples(run, step, more=""):
    """Writes samples.txt without the blocks of a step or later, and with ``more`` at its end. What stands
    before the first block, which a person has written, stays."""
    escaped = "surrogateescape"  # bytes that are no UTF-8 stay what they are
    text, blocks = _text(run, escaped), _samples(run, escaped)
    first = len(text) - sum(len(block) for _, block in blocks)
    kept = [text[:first], *(block for at, block in blocks if at < step), more]
    write_bytes(run / "samples.txt", "".join(kept).encode(errors=escaped))


def _samples(run, errors="replace"):
    """(step, block) of each block of samples.txt, its head included."""
    text = _text(run, errors)
    heads = list(_BLOCKS.finditer(text))
    starts = [*(head.start() for head in heads), len(text)]
    cuts = pairwise(starts)
    return [(int(h[1]), text[a:b]) for h, (a, b) in zip(heads, cuts, strict=True)]


def _text(run, errors):
    file = run / "samples.txt"
    return file.read_bytes().decode(errors=errors) if file.is_file() else ""


def _line(record):
    return json.dumps(record) + "\n"
