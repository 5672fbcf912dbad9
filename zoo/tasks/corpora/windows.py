"""Sequences of so many words, none of which crosses a border of a corpus or of its parts."""

import csv
import io
from pathlib import Path

from zoo.data.files import write_bytes
from zoo.data.text import words


def of(text: str, length: int) -> list[str]:
    """The sequences of ``length`` words of a text, in order, as texts; what is left at its end goes."""
    tokens = words.tokens(text, lines=True)
    cuts = range(0, len(tokens) - length + 1, length)
    return [words.text_of(tokens[i : i + length]).strip() for i in cuts]


def write(file: Path, rows: dict[str, list[str]]) -> None:
    """Writes a CSV file with the columns text and label, of label -> texts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["text", "label"])
    for label, texts in rows.items():
        writer.writerows([text, label] for text in texts)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, out.getvalue().encode("utf-8", "replace"))
