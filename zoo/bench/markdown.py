"""Markdown of what is measured."""


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rows(heads: list[str]) -> list[str]:
    """The two lines that a table begins with."""
    return [line(heads), line(["---"] * len(heads))]


def ratio(figures: dict) -> str:
    """A ratio and the quartiles of its rounds; a dash where there is none."""
    if "ratio" not in figures:
        return "–"
    low, high = figures["quartiles"]
    return f"{_short(figures['ratio'])} ({_short(low)} to {_short(high)})"


def _short(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
