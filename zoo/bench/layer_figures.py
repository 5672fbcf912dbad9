"""The result of ``core`` as Markdown and as a picture."""

from pathlib import Path

from zoo.bench import rounds
from zoo.bench.markdown import line, ratio, rows, share
from zoo.errors import UserError

CAPTION = (
    "One LSTM layer of H units, B sequences, T steps, D inputs: our milliseconds, and how many times as "
    "long others take (above 1: ours is faster)"
)
_UNITS = {"length": "µs a step", "batch": "µs a step and row"}
MODES = {"forward": "forward", "both": "forward + backward"}


def caption(result: dict) -> str:
    """What stands above the table."""
    if not result["curve"]:
        return CAPTION
    H, B, T, D = result["shapes"][0]["shape"]
    other = (
        f"of {B} sequences, by length T"
        if result["curve"] == "length"
        else f"of {T} steps, by batch B"
    )
    return f"The cost of one LSTM layer of {H} units and {D} inputs, {other}"


def table(result: dict) -> str:
    """A row a shape and mode: milliseconds of the first contestant, ratios of the others."""
    titles = dict(result["contestants"])
    names = list(titles)
    if not names:
        return "no contestant is there"
    if result["curve"]:
        return "\n".join(_curve_rows(result, titles))
    heads = ["H, B, T, D", "what", f"{titles[names[0]]}, ms"]
    heads += [*(titles[n] for n in names[1:]), "floor / " + titles[names[0]]]
    lines = rows(heads)
    for mode, words in MODES.items():
        for record in result["shapes"]:
            lines.append(line(_cells(record, mode, words, names)))
        if len(result["shapes"]) > 1:
            means = [_mean(result, mode, name) for name in names[1:]]
            lines.append(line(["geometric mean", words, "–", *means, "–"]))
    return "\n".join([*lines, *_memory(result)])


def _curve_rows(result, titles):
    """A row a length or batch: microseconds of each contestant, and the floor."""
    curve = result["curve"]
    heads = [{"length": "T", "batch": "B"}[curve]]
    for words in MODES.values():
        first, *others = titles.values()
        heads += [f"{words}: {first}, {_UNITS[curve]}", *others, "floor"]
    lines = rows(heads)
    for record in result["shapes"]:
        cells = [str(record["shape"][2 if curve == "length" else 1])]
        for mode in MODES:
            there = record["modes"][mode]
            cells += [
                f"{cost(record, there[n]['median'], curve):.3g}" if n in there else "–"
                for n in titles
            ]
            cells.append(f"{cost(record, record['floor'][mode], curve):.3g}")
        lines.append(line(cells))
    return lines


def plot(result: dict, file: Path) -> None:
    """Writes a PNG: of a curve the cost by length or batch, else the ratios by shape. Raises UserError
    where it cannot be written."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(MODES), figsize=(12, 4.5), constrained_layout=True)
    for axis, (mode, words) in zip(axes, MODES.items(), strict=True):
        (_curve if result["curve"] else _points)(axis, result, mode)
        axis.set_title(words)
        for ticks in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
            ticks(lambda value, _: f"{value:g}")
    if axes[0].get_legend_handles_labels()[1]:
        axes[0].legend(fontsize="small")
    try:
        figure.savefig(file, dpi=120)
    except OSError as error:
        raise UserError(f"--plot={file}: cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def cost(record: dict, seconds: float, curve: str) -> float:
    """Microseconds a time step, of the whole batch in a curve of lengths, else of one row."""
    _, B, T, _ = record["shape"]
    return 1e6 * seconds / (T if curve == "length" else T * B)


def _curve(axis, result, mode):
    curve = result["curve"]
    at = 2 if curve == "length" else 1
    for name, title in result["contestants"]:
        records = [r for r in result["shapes"] if name in r["modes"][mode]]
        medians = [cost(r, r["modes"][mode][name]["median"], curve) for r in records]
        axis.plot([r["shape"][at] for r in records], medians, "o-", label=title)
    records = [r for r in result["shapes"] if mode in r["floor"]]
    floors = [cost(r, r["floor"][mode], curve) for r in records]
    axis.plot([r["shape"][at] for r in records], floors, "k:", label="floor")
    axis.set(xscale="log", yscale="log", xlabel={"length": "time steps", "batch": "batch"}[curve])
    axis.set_ylabel(_UNITS[curve])


def _points(axis, result, mode):
    """Ratios and their quartiles, a point each."""
    others = result["contestants"][1:]
    for i, (name, title) in enumerate(others):
        at, ratios, spreads = [], [], []
        for place, record in enumerate(result["shapes"]):
            figures = record["modes"][mode].get(name, {})
            if "ratio" in figures:
                at.append(place + (i + 0.5) / len(others) * 0.7 - 0.35)
                ratios.append(figures["ratio"])
                low, high = figures["quartiles"]
                spreads.append((max(0.0, ratios[-1] - low), max(0.0, high - ratios[-1])))
        if at:
            spread = list(zip(*spreads, strict=True))
            axis.errorbar(at, ratios, spread, fmt="o", markersize=5, label=title)
    axis.axhline(1, color="black", linewidth=0.8)
    shapes = ["\n".join(map(str, record["shape"])) for record in result["shapes"]]
    axis.set_xticks(range(len(shapes)), shapes, fontsize="small")
    axis.set(yscale="log", xlabel="H, B, T, D", ylabel="its time / ours")
    axis.grid(axis="y", which="both", linewidth=0.3)


def _cells(record, mode, words, names):
    figures = record["modes"][mode]
    first = figures.get(names[0])
    return [
        ", ".join(map(str, record["shape"])),
        words,
        f"{1000 * first['median']:.3g}" if first else "–",
        *(ratio(figures.get(name)) for name in names[1:]),
        share(record["floor"].get(mode), first["median"]) if first else "–",
    ]


def _mean(result, mode, name):
    """The geometric mean of the ratios of all shapes; a dash where one is lacking."""
    ratios = [record["modes"][mode].get(name, {}).get("ratio") for record in result["shapes"]]
    return "–" if None in ratios else f"{rounds.geometric_mean(ratios):.2f}"


def _memory(result):
    records = [r for r in result["shapes"] if r.get("memory")]
    if not records:
        return []
    heads = ("H, B, T, D", "forward + backward", "temporary arrays, MB", "growth at the peak, MB")
    lines = ["", *rows(heads)]
    for record in records:
        for name, memory in record["memory"].items():
            sizes = [memory and memory[key] for key in ("temporary", "resident")]
            cells = [f"{size / 1e6:,.1f}" if size is not None else "–" for size in sizes]
            shape = ", ".join(map(str, record["shape"]))
            lines.append(line([shape, dict(result["contestants"])[name], *cells]))
    return lines
