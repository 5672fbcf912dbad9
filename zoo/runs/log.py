"""metrics.jsonl and samples.txt: what a run has said on its way."""

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from zoo.data.files import write_bytes
from zoo.errors import UserError

_HEAD = "════ step "
_BLOCKS = re.compile(rf"^{_HEAD}(\d+), (.*) ════$", re.MULTILINE)


class Sample(NamedTuple):
    """A block of samples.txt: the step, what was measured there, and what the model said."""

    step: int
    title: str
    text: str


class Log:
    """metrics.jsonl of a run that goes on after ``step``: later lines are dropped first."""

    def __init__(self, run: Path, step: int):
        self.path = run / "metrics.jsonl"
        kept = [r for r in read(run) if r["step"] <= step]
        write_bytes(self.path, "".join(map(_line, kept)).encode())

    def add(self, record: dict) -> None:
        """Appends one object and puts it on disk."""
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(_line(record))
            out.flush()
            os.fsync(out.fileno())


def read(run: Path) -> list[dict]:
    """The objects of metrics.jsonl; a last line that was cut off is left out."""
    records = []
    file = run / "metrics.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def read_whole(run: Path) -> list[dict]:
    """As ``read``. Raises UserError that names the line where one that is not the last is no log point."""
    file = run / "metrics.jsonl"
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if not all(isinstance(record[key], int | float) for key in ("step", "seconds")):
                raise TypeError
        except (ValueError, TypeError, KeyError):
            if number == len(lines):
                break
            raise UserError(
                f"{file}, line {number} is damaged; run the training command again in another "
                "folder, or delete that line"
            ) from None
        records.append(record)
    return records


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
    file = run / "samples.txt"
    kept = [block for at, block in _samples(run) if at < step]
    # A line of the text that looks like a head is set off by a space, so that none is taken for one.
    text = re.sub(rf"^(?={_HEAD})", " ", text, flags=re.MULTILINE)
    kept.append(f"{_HEAD}{step}, {title} ════\n{text}\n\n")
    write_bytes(file, "".join(kept).encode())


def last_sample(run: Path) -> str | None:
    """The text of the last block of samples.txt, without its head; None where there is none."""
    blocks = _samples(run)
    return blocks[-1][1].partition("\n")[2] if blocks else None


def _samples(run):
    """(step, block) of each block of samples.txt, its head included."""
    file = run / "samples.txt"
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    heads = list(_BLOCKS.finditer(text))
    starts = [*(head.start() for head in heads), len(text)]
    cuts = pairwise(starts)
    return [(int(h[1]), text[a:b]) for h, (a, b) in zip(heads, cuts, strict=True)]


def _line(record):
    return json.dumps(record) + "\n"
