"""Markdown of what is measured."""


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rows(heads: list[str]) -> list[str]:
    """The two lines that a table begins with."""
    return [line(heads), line(["---"] * len(heads))]


def ratio(figures: dict | None) -> str:
    """A ratio, ± half the distance of the quartiles of its rounds; a dash where there is none."""
    if not figures or "ratio" not in figures:
        return "–"
    low, high = figures["quartiles"]
    places = 2 if figures["ratio"] < 10 else 0
    return f"{figures['ratio']:.{places}f} ± {(high - low) / 2:.{places}f}"


def share(part: float | None, whole: float) -> str:
    """Per cent; a dash for nothing that could be seen."""
    return f"{part / whole:.0%}" if part and part / whole >= 0.005 else "–"


def made_by(entry: dict) -> str:
    """What a table was measured with: a line below it."""
    versions = entry["versions"]
    words = ", ".join(f"{name} {versions[name]}" for name in _TOLD if name in versions)
    missing = [f"not there: {', '.join(entry['absent'])}"] if entry["absent"] else []
    failed = [f"failed: {', '.join(sorted({name for name, *_ in entry['failed']}))}"]
    lacking = missing + (failed if entry["failed"] else [])
    return "; ".join([f"`{entry['command']}`; {entry['machine']}; {words}", *lacking])


_TOLD = ("jax", "flax", "torch", "keras", "haiku", "equinox")
