"""The committed results: the README's tables, a run held against them, a picture of finished runs.

python -m zoo.report --table              the tables of runs/reference.json, as Markdown
python -m zoo.report --verify=FOLDER      a finished run against its entry there, bit for bit
python -m zoo.report --picture=FILE.png PLOT.png ...     plots of runs, side by side
"""

import statistics
import sys
from pathlib import Path

from absl import flags

from zoo import cli, config, tasks
from zoo.errors import UserError
from zoo.runs import reference

_HEAD = (
    "| experiment | measured | unit | better | ours | best other | we win | parameters | training |"
)


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_boolean("table", False, "print the results tables", **define)
    flags.DEFINE_string("verify", None, "folder of a finished run to compare", **define)
    flags.DEFINE_string("picture", None, "PNG file to write, of the plots that follow", **define)
    plots = cli.parse(values, argv, __doc__, positional=True)
    if plots is None:
        return 0
    if values.table + (values.verify is not None) + (values.picture is not None) != 1:
        raise UserError("give one of --table, --verify=FOLDER and --picture=FILE.png PLOT.png ...")
    if bool(plots) != (values.picture is not None):
        raise UserError(
            "plots go with --picture, as in: --picture=docs/runs.png runs/*/plots/loss.png"
        )
    if values.table:
        print(tables(reference.read()))
        return 0
    if values.picture:
        picture(Path(values.picture), [Path(plot) for plot in plots])
        return 0
    return verify(Path(values.verify), reference.read())


def tables(entries: dict) -> str:
    """The results as Markdown: a table a task, and the speeds that ``zoo.bench --save`` has put there.

    Of several seeds it is the mean and the standard deviation. What a row is about, and the figure of
    others beside it, is in the entry's config; what a metric means, in the config of its task.
    """
    rows: dict[str, list[str]] = {}
    for name, entry in sorted(entries.items()):
        if "runs" in entry:
            file, _, variant = name.partition(":")
            settings = config.load(f"configs/{file}.py:{variant}")
            rows.setdefault(settings.task, []).extend(_rows(name, settings, entry["runs"]))
    parts = []
    for task, lines in sorted(rows.items()):
        title = tasks.module(task, "__init__").__doc__.strip()
        parts.append("\n".join([f"**{title}**\n", _HEAD, "| --- " * 9 + "|", *lines]))
    benches = {name: entry for name, entry in entries.items() if "seconds" in entry}
    return "\n\n".join(parts + ([speeds(benches)] if benches else []))


def _rows(name, settings, runs):
    """The rows of one experiment, one a metric; its name, size and time stand in the first."""
    metrics = tasks.module(settings.task, "config").METRICS
    seeds = f", {len(runs)} seeds" if len(runs) > 1 else ""
    first = f"`{name}` {settings.about}{seeds}"
    size = f"{runs[0]['params']:,}"
    time = _clock(statistics.median(r["train_seconds"] for r in runs))
    lines = []
    for key, other, whose in settings.results:
        metric = metrics[key]
        ours, text = _figure(runs, key)
        theirs, theirs_text = (
            _figure(runs, other) if isinstance(other, str) else (other, f"{other}")
        )
        best = f"{whose} {theirs_text}" if other is not None else "–"
        cells = [first, f"{metric.words}; {metric.unit}", metric.better, text, best]
        cells += [_wins(metric.better, ours, theirs), size, time]
        lines.append("| " + " | ".join(cells) + " |")
        first, size, time = "", "", ""
    return lines


def _figure(runs, key):
    """(mean, text) of a metric over runs; the mean is None where a run has no figure."""
    values = [r["metrics"].get(key) for r in runs]
    if any(v is None for v in values):
        return None, "not reached" if all(key in r["metrics"] for r in runs) else "not measured"
    mean = statistics.fmean(values)
    text = f"{mean:.4g}" if round(mean, 4) != 1 or mean == 1 else f"{mean:.6g}"
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return mean, text + (f" ± {deviation:.2g}" if deviation > 1e-9 else "")


def _wins(better, ours, theirs):
    if theirs is None or better not in ("lower", "higher"):
        return "–"
    if ours is None:
        return "no"
    return "yes" if (ours < theirs) == (better == "lower") and ours != theirs else "no"


def speeds(entries: dict) -> str:
    """Entries of ``zoo.bench`` as a Markdown table: medians of the rounds, ratios of each round's."""
    lines = ["| side by side | | pace | beside the first |", "| --- | --- | --- | --- |"]
    for name, entry in sorted(entries.items()):
        first = entry["seconds"][0][1]
        for i, (who, seconds) in enumerate(entry["seconds"]):
            pace = entry["amount"] / statistics.median(seconds)
            ratio = statistics.median(a / b for a, b in zip(first, seconds, strict=True))
            beside = f"{ratio:.3g} times as fast" if i else "1"
            lines.append(f"| `{name}` | {who} | {pace:,.0f} {entry['unit']} a second | {beside} |")
    return "\n".join(lines)


def verify(run: Path, entries: dict) -> int:
    """Prints what agrees; exit code 0 when the parameters are the same bits, 1 when not."""
    from zoo.runs import folder

    folder.read_config(run)
    result = folder.read_result(run)
    if result is None:
        raise UserError(f"--verify={run}: not finished yet")
    name = f"{result['config']}:{result['variant']}"
    runs = [r for r in entries.get(name, {"runs": []})["runs"] if r["seed"] == result["seed"]]
    if not runs:
        raise UserError(
            f"--verify={run}: {reference.FILE} has no {name} with seed {result['seed']}"
        )
    want = runs[0]
    for key in ("params_sha256", "best_sha256"):
        print(f"{key}: {'the same' if want[key] == result[key] else 'different'}")
    for key, value in want["metrics"].items():
        print(f"{key}: {result['metrics'].get(key)} (reference {value})")
    for key, value in want["versions"].items():
        if value != result["versions"].get(key):
            print(f"version of {key}: {result['versions'].get(key)} (reference {value})")
    return 0 if want["params_sha256"] == result["params_sha256"] else 1


def picture(file: Path, plots: list[Path]) -> None:
    """Writes PNG plots side by side, at one height. Raises UserError for a plot that cannot be read."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    images = []
    for plot in plots:
        try:
            images.append(pyplot.imread(plot))
        except (OSError, SyntaxError, ValueError) as error:
            raise UserError(f"{plot}: no PNG file that can be read: {error}") from None
    widths = [image.shape[1] / image.shape[0] for image in images]
    figure, axes = pyplot.subplots(
        1, len(images), figsize=(4 * sum(widths), 4), width_ratios=widths, squeeze=False
    )
    for axis, image in zip(axes[0], images, strict=True):
        axis.imshow(image)
        axis.axis("off")
    figure.subplots_adjust(left=0, right=1, top=1, bottom=0, wspace=0.02)
    try:
        figure.savefig(file, dpi=110)
    except OSError as error:
        raise UserError(f"--picture={file}: cannot be written: {error.strerror}") from None
    pyplot.close(figure)


def _clock(seconds):
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    sys.exit(cli.run(main))
