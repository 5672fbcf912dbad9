"""What a classifier looks at: how much surer it is of its answer for each word of a text."""

from pathlib import Path

import numpy as np

from zoo.data.text import words
from zoo.tasks import figures

_SYMBOLS = 80  # of a text, from its beginning
_LINE = 96  # characters of a line


def influence(task, params, text: str) -> tuple[list[str], np.ndarray, str]:
    """(symbols, influence of each, the answer) of a text; of its first 80 symbols.

    The influence is log P(answer | text) less the same where the symbol is read as an unknown one, in nats.
    """
    arrays = task.padded([text])
    count = min(_SYMBOLS, int(arrays["lengths"][0]))
    tokens = np.repeat(arrays["tokens"], count + 1, axis=0)
    tokens[1:][np.arange(count), np.arange(count)] = task.hidden_id
    lengths = np.repeat(arrays["lengths"], count + 1)
    log_p = task.log_p(params, {"tokens": tokens, "lengths": lengths})
    told = int(log_p[0].argmax())
    prepared = task.prepared(text)
    if task.vocabulary.kind == "words":
        symbols = words.tokens(prepared)[:count]
    else:
        symbols = [task.vocabulary.decode(ids) for ids in arrays["tokens"][0, :count, None]]
    return symbols, log_p[0, told] - log_p[1:, told], task.classes[told]


def draw(run: Path, shown: list[tuple[str, list[str], np.ndarray]]) -> None:
    """Writes plots/looks.png, a picture of texts: (title, symbols, influence) each. Red speaks for the
    answer, blue against it; the strongest word of a text is darkest."""
    from matplotlib import colormaps

    colours, placed, row = colormaps["RdBu_r"], [], 0
    for title, symbols, values in shown:
        placed.append((row, 0, title, None))
        row, column = row + 1, 0
        highest = max(np.abs(values).max(), 1e-6) if len(values) else 1.0
        for symbol, value in zip(symbols, values, strict=True):
            if column and column + len(symbol) > _LINE:
                row, column = row + 1, 0
            placed.append((row, column, symbol, colours(0.5 + 0.4 * value / highest)))
            column += len(symbol) + 1
        row += 2
    figure, _ = figures.page(placed, _LINE)
    figures.keep(figure, run, "looks.png", dpi=120)
