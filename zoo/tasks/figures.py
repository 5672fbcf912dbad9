"""Figures of a run, drawn without a screen."""

import re
import sys
import warnings
from functools import cache
from pathlib import Path

from zoo.errors import UserError

_MISSING = re.compile(r"Glyph \d+ \((?:\\N\{)?(.+?)\}?\) missing from font")
# Families with the characters of many scripts, on Linux, macOS and Windows.
_BROAD = re.compile(r"Noto Sans|WenQuanYi|Hiragino Sans|Arial Unicode|Yu Gothic|MS Gothic|Unifont")


def subplots(rows: int = 1, columns: int = 1, *, size: tuple[float, float]):
    """(figure, axes) of matplotlib, ``size`` in inches."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["font.family"] = ["sans-serif", *_broad()]
    return pyplot.subplots(rows, columns, figsize=size, layout="constrained")


def keep(figure, run: Path, name: str, dpi: int = 110) -> None:
    """Writes the figure to plots/NAME of the run, and closes it."""
    from matplotlib import pyplot

    try:
        (run / "plots").mkdir(exist_ok=True)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            figure.savefig(run / "plots" / name, dpi=dpi)
    except OSError as error:
        raise UserError(f"{run / 'plots'} cannot be written: {error.strerror}") from error
    finally:
        pyplot.close(figure)
    missing = set()
    for w in told:
        if found := _MISSING.match(str(w.message)):
            missing.add(found[1])
        else:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    if missing:
        print(
            f"note: plots/{name}: no font of this machine has {', '.join(sorted(missing)[:3])}"
            f"{', …' if len(missing) > 3 else ''}; boxes stand there (Noto Sans CJK, say, has most)",
            file=sys.stderr,
        )


@cache
def _broad() -> list[str]:
    """The families of this machine that other scripts than Latin are drawn with."""
    from matplotlib import font_manager

    return sorted({f.name for f in font_manager.fontManager.ttflist if _BROAD.match(f.name)})


_SIZE = 8  # points of a character of a page
_WIDE, _HIGH = _SIZE * 0.602 / 72, _SIZE * 1.6 / 72  # of a character, inches


def page(placed, columns: int, top: float = 0.0):
    """(figure, axes) of a page of text whose characters are all of one width: (row, column, text, ground)
    each. ``ground`` is a color behind the text, or None: then the text is bold.

    columns: characters of a line
    top:     inches that are left free above, for a legend; the axes are in inches, from the upper left
    """
    from matplotlib.patches import Rectangle

    rows = 1 + max((row for row, *_ in placed), default=0)
    wide, high = columns * _WIDE + 0.3, top + rows * _HIGH + 0.2
    figure, axes = subplots(size=(wide, high))
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, wide), ylim=(high, 0))
    axes.axis("off")
    for row, column, text, ground in placed:
        x, y = 0.15 + column * _WIDE, top + 0.1 + row * _HIGH
        color = "black"
        if ground is not None:
            width = _WIDE * len(text)
            axes.add_patch(Rectangle((x, y), width, _HIGH * 0.95, color=ground, lw=0))
            color = "white" if sum(ground[:3]) / 3 < 0.45 else "black"
        weight = "normal" if ground is not None else "bold"
        style = TYPE | {"family": ["monospace", *_broad()]}
        axes.text(x, y + _HIGH / 2, text, color=color, weight=weight, **style)
    return figure, axes


TYPE = {"family": "monospace", "size": _SIZE, "va": "center", "parse_math": False}
