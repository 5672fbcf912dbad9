"""A picture of a text: every symbol on a ground that is darker the more it surprised the model."""

from pathlib import Path

from zoo.errors import UserError
from zoo.tasks import figures

MOST = 4000  # symbols of a picture
_LINE = 100  # characters of a line
_FULL = 6.0  # nats at which the ground is as dark as it gets


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
    from matplotlib.patches import Rectangle

    grounds = [(*at, text, ground(nats)) for *at, text, nats in placed]
    figure, axes = figures.page(grounds, _LINE, top=0.4)
    for i in range(61):  # the legend
        axes.add_patch(
            Rectangle((0.15 + i * 0.03, 0.15), 0.031, 0.15, color=ground(_FULL * i / 60))
        )
    words = f"from 0 nats, as expected, to {_FULL:.0f} and more, a surprise"
    axes.text(0.15 + 61 * 0.03 + 0.1, 0.23, words, **figures.TYPE)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=120, format="png")
    except OSError as error:
        raise UserError(f"--picture={file}: cannot be written: {error.strerror}") from None


def ground(nats: float) -> tuple[float, ...]:
    """The color behind a symbol, from light to dark: red, green, blue and opacity, from 0 to 1."""
    from matplotlib import colormaps

    return colormaps["OrRd"](min(nats / _FULL, 1.0))  # 1 would be the second lightest of 256
