"""A picture of a text: every symbol on a ground that is darker the more it surprised the model."""

from pathlib import Path

import numpy as np

from zoo.errors import UserError
from zoo.tasks import figures

MOST = 4000  # symbols of a picture
_LINE, _SIZE = 100, 8  # characters of a line, points of a character
_FULL = 6.0  # nats at which the ground is as dark as it gets
_WIDE, _HIGH = _SIZE * 0.602 / 72, _SIZE * 1.5 / 72  # of a character, inches


def symbols(vocabulary, part, before: int) -> list[tuple[str, float]]:
    """(text, nats) of the symbols of a part, so many that with ``before`` they are ``MOST`` at most; a line
    break at the end of a line."""
    name = "dynamic" if "dynamic" in part.nats else ""
    ids, nats = part.ids[: MOST - before], part.nats[name]
    # What comes before a word is known from all words so far, not from one.
    texts = [vocabulary.decode(ids[i : i + 1]) for i in range(len(ids))]
    blank = " " if vocabulary.kind in ("words", "tokenised") else ""
    found = [
        (text + blank * (text != "\n"), float(n)) for text, n in zip(texts, nats, strict=False)
    ]
    return [*found, ("\n", 0.0)] if part.last else found


def draw(file: Path, shown: list[tuple[str, float]]) -> None:
    """Writes a PNG file. Raises UserError where it cannot be written, and for nothing to show."""
    if not any(text.strip() for text, _ in shown):
        raise UserError("--picture: the text has no symbol to show")
    placed, row, column = [], 0, 0
    for text, nats in shown:
        if column + len(text.rstrip("\n")) > _LINE:
            row, column = row + 1, 0
        if text != "\n":
            placed.append((row, column, text, nats))
            column += len(text)
        else:
            if nats:
                placed.append((row, column, "¶", nats))
            row, column = row + 1, 0
    _paint(file, placed, row + 1)


def _paint(file, placed, rows):
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    wide, high = _LINE * _WIDE + 0.3, rows * _HIGH + 0.7
    figure, axes = figures.subplots(size=(wide, high))
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, wide), ylim=(high, 0))
    axes.axis("off")
    colours = colormaps["OrRd"]
    style = {"family": "monospace", "size": _SIZE, "va": "center", "parse_math": False}
    for i in range(61):  # the legend
        axes.add_patch(Rectangle((0.15 + i * 0.03, 0.1), 0.031, 0.15, color=colours(i / 60)))
    words = f"from 0 nats, as expected, to {_FULL:.0f} and more, a surprise"
    axes.text(0.15 + 61 * 0.03 + 0.1, 0.18, words, **style)
    for row, column, text, nats in placed:
        x, y = 0.15 + column * _WIDE, 0.6 + row * _HIGH
        share = min(nats / _FULL, 1)
        width = _WIDE * len(text.rstrip()) if text.strip() else _WIDE * len(text)
        axes.add_patch(Rectangle((x, y), width, _HIGH * 0.95, color=colours(share), lw=0))
        light = np.mean(colours(share)[:3]) < 0.45
        axes.text(x, y + _HIGH / 2, text, color="white" if light else "black", **style)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=120, format="png")
    except OSError as error:
        raise UserError(f"--picture={file}: cannot be written: {error.strerror}") from None
