"""Reports: a page about runs; the committed results as tables, a run held against them; a picture of plots.

python -m zoo.report DIR ... [--out=FILE.html]           one HTML page about runs, or about folders of seeds
python -m zoo.report --table              the tables of runs/reference.json, as Markdown
python -m zoo.report --verify=FOLDER      a finished run against its entry there, bit for bit
python -m zoo.report --picture=FILE.png PLOT.png ...     plots of runs, one below the other
"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import importlib
import statistics
import sys
from pathlib import Path

import numpy as np
from absl import flags

from zoo import cli, config, tasks
from zoo.bench import markdown
from zoo.data.files import write_bytes
from zoo.errors import UserError
from zoo.pages import figures
from zoo.runs import folder, reference

_COLUMNS = (
    "experiment",
    "what is measured",
    "unit",
    "better",
    "ours",
    "best other figure",
    "do we win?",
    "parameters",
    "training time",
)
_SPACE = 20  # pixels below each plot of a picture


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_boolean("table", False, "print the results tables", **define)
    flags.DEFINE_string("verify", None, "folder of a finished run to compare", **define)
    flags.DEFINE_string("picture", None, "PNG file to write, of the plots that follow", **define)
    flags.DEFINE_string(
        "out", None, "HTML file to write, of the run folders that are given", **define
    )
    rest = cli.parse(values, argv, __doc__, positional=True)
    if rest is None:
        return 0
    asked = values.table + (values.verify is not None) + (values.picture is not None)
    if asked > 1 or not (asked or rest):
        raise UserError(
            "give one of DIR ..., --table, --verify=FOLDER and --picture=FILE.png PLOT.png ..."
        )
    if asked and bool(rest) != (values.picture is not None):
        raise UserError(
            "plots go with --picture, as in: --picture=docs/runs.png runs/*/plots/loss.png"
        )
    if asked and values.out is not None:
        raise UserError("--out goes with run folders, as in: runs/char_lm --out=page.html")
    if values.table:
        print(tables(reference.read()))
        return 0
    if values.picture:
        picture(Path(values.picture), [Path(plot) for plot in rest])
        return 0
    if values.verify is not None:
        return verify(folder.path(values.verify), reference.read())
    write_page([folder.path(path) for path in rest], values.out)
    return 0


def write_page(paths: list[Path], out: str | None) -> None:
    """Writes the page about run folders to ``out``; to report.html in the folder of a single one, or else
    where the command runs.

    Raises UserError for a folder that is no run, for damaged files, and where ``out`` cannot be written.
    """
    from zoo.pages.folders import read
    from zoo.pages.page import page

    file = (
        Path(out) if out is not None else (paths[0] if len(paths) == 1 else Path()) / "report.html"
    )
    if out == "" or file.is_dir():
        raise UserError(f"--out={out}: a folder; give the name of a file, such as page.html")
    runs = read(paths)
    title = paths[0].resolve().name if len(paths) == 1 else f"{len(runs)} runs"
    if len(paths) == 1 and len(runs) > 1:
        title = f"{title}, {len(runs)} seeds"
    content = page(runs, runs[0].name if len(runs) == 1 else title).encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, content)
    except (OSError, UserError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"--out={file}: cannot be written: {why}") from None
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    print(f"{file}: {count}, {len(content) / 1e6:.1f} MB")


def tables(entries: dict) -> str:
    """The results as Markdown: a table a task, and the speeds that ``zoo.bench --save`` has put there.

    Of several seeds it is the mean and the standard deviation. What a row is about, and the figure of
    others beside it, is in the entry's config; what a metric means, in the config of its task; a table's
    title is the docstring of its task, by which tables are sorted.
    """
    rows: dict[str, list[str]] = {}
    for name, entry in sorted(entries.items()):
        if "runs" in entry:
            file, _, variant = name.partition(":")
            settings = config.load(f"configs/{file}.py:{variant}")
            found = rows.setdefault(settings.task, [])
            if given := reference.keys(entry):
                settings.about += f", with `{given}`"
            found += _rows(name, settings, entry["runs"])
            if together := entry.get("together"):
                settings.about = f"its {len(entry['runs'])} seeds as one model"
                found += _rows(name, settings, [_sum(entry["runs"]) | {"metrics": together}])
    parts = []
    for task, lines in rows.items():
        title = tasks.module(task, "__init__").__doc__.strip()
        parts.append("\n".join([f"**{title}**", "", *markdown.rows(_COLUMNS), *lines]))
    benches = {name: entry for name, entry in entries.items() if "runs" not in entry}
    return "\n\n".join(sorted(parts) + ([speeds(benches)] if benches else []))


def speeds(entries: dict) -> str:
    """Entries of ``zoo.bench`` as Markdown tables: one of those that do an amount of work in turns, and one
    each of the others, with what it is about above and what made it below."""
    turns = {name: entry for name, entry in entries.items() if "seconds" in entry}
    parts = [_turns(turns)] if turns else []
    for name in sorted(entries.keys() - turns.keys()):
        entry = entries[name]
        bench = importlib.import_module(f"zoo.bench.{entry['bench']}")
        parts += [f"{bench.caption(entry)}:", bench.table(entry), markdown.made_by(entry)]
    return "\n\n".join(parts)


def _turns(entries):
    """Medians of the rounds, and ratios of each round's. The first of each is the measure of the others."""
    lines = markdown.rows(("measured by", "who", "speed", "beside the first"))
    for name, entry in sorted(entries.items()):
        first = entry["seconds"][0][1]
        for i, (who, seconds) in enumerate(entry["seconds"]):
            pace = entry["amount"] / statistics.median(seconds)
            ratio = statistics.median(a / b for a, b in zip(first, seconds, strict=True))
            beside = f"{ratio:.{3 if ratio >= 1 else 2}g} times as fast" if i else "1"
            lines.append(
                markdown.line((f"`{name}`", who, f"{pace:,.0f} {entry['unit']} a second", beside))
            )
    return "\n".join(lines)


def _sum(runs):
    """The size and the time of runs together."""
    return {key: sum(run[key] for run in runs) for key in ("params", "train_seconds")}


def _rows(name, settings, runs):
    """The rows of one experiment, one for each of its metrics and the figure of others beside it."""
    metrics = tasks.module(settings.task, "config").METRICS
    size = f"{runs[0]['params']:,}"
    time = figures.clock(statistics.median(r["train_seconds"] for r in runs))
    seeds = f" ({len(runs)} seeds)" if len(runs) > 1 else ""
    title = f"`{name}`: {settings.about}{seeds}"
    lines = []
    for key, other, whose in settings.results:
        metric = metrics[key]
        _, ours = figures.of_runs(runs, key)
        theirs, best = None, "none given"
        if other is not None:
            theirs, best = figures.other(runs, other)
            best = f"{best} by {whose}"
        won = figures.won(metric, runs, key, theirs)
        cells = [title, metric.words, metric.unit, metric.better, ours, best, won, size, time]
        lines.append(markdown.line(cells))
        title = f"`{name}`"
    return lines


def verify(run: Path, entries: dict) -> int:
    """Prints what agrees; exit code 0 when the parameters, and their average where there is one, are the
    same bits, 1 when not."""
    settings = folder.read_config(run)
    result = folder.read_result(run)
    if result is None:
        raise UserError(f"--verify={run}: not finished yet")
    name = f"{result['config']}:{result['variant']}"
    if own := settings.data.get("path"):
        raise UserError(
            f"--verify={run}: was trained on data of your own ({own}), for which there is no reference"
        )
    entry = entries.get(name, {"runs": []})
    runs = [r for r in entry["runs"] if r["seed"] == result["seed"]]
    if not runs:
        raise UserError(
            f"--verify={run}: {reference.FILE} has no {name} with seed {result['seed']}"
        )
    want = runs[0]
    keys = ["params_sha256", "best_sha256"]
    keys += ["average_sha256"] if result.get("average_sha256") else []
    same = {key: want.get(key) == result.get(key) for key in keys}
    for key in keys:
        differs = "different" if key in want else "not in the reference"
        print(f"{key}: {'the same' if same[key] else differs}")
    for key, value in want["metrics"].items():
        print(f"{key}: {result['metrics'].get(key)} (reference {value})")
    for key, value in want["versions"].items():
        if value != result["versions"].get(key):
            print(f"version of {key}: {result['versions'].get(key)} (reference {value})")
    if given := reference.keys(entry):
        print(f"the reference was trained with {given}")
    counted = [key for key in keys if key != "best_sha256" and key in want]
    return 0 if all(same[key] for key in counted) else 1


def picture(file: Path, plots: list[Path]) -> None:
    """Writes PNG plots one below the other, pixel for pixel: side by side they could not be read.

    Raises UserError for a plot that cannot be read, and where ``file`` cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    images = []
    for plot in plots:
        try:
            images.append(_opaque(pyplot.imread(plot)))
        except (OSError, SyntaxError, ValueError) as error:
            raise UserError(f"{plot}: no PNG file that can be read: {error}") from None
    width = max(image.shape[1] for image in images)
    page = np.concatenate([_on_white(image, width) for image in images])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        pyplot.imsave(file, page, format="png", pil_kwargs={"optimize": True})
    except OSError as error:
        raise UserError(f"--picture={file}: cannot be written: {error.strerror}") from None


def _opaque(image):
    """(height, width, 3), from 0 to 1, of a picture that may be gray, or transparent (then on white)."""
    if image.ndim == 2:
        image = image[..., None]
    colors, alpha = (image[..., :-1], image[..., -1:]) if image.shape[2] in (2, 4) else (image, 1)
    return np.broadcast_to(colors * alpha + (1 - alpha), (*image.shape[:2], 3))


def _on_white(image, width):
    """An image in the middle of a page that is ``width`` wide, with some space below it."""
    left = (width - image.shape[1]) // 2
    right = width - image.shape[1] - left
    return np.pad(image, [(0, _SPACE), (left, right), (0, 0)], constant_values=1)


if __name__ == "__main__":
    sys.exit(cli.run(main))
