"""The variants of a config side by side: one table, of the committed results.

python -m zoo.compare window_lm                  all variants of configs/window_lm.py
python -m zoo.compare window_lm text_classifier  two tables

A column a metric that some variant reports, with a dash for those that do not; of several seeds the mean
and the standard deviation. What was not run says so, and
``python -m zoo.reproduce configs/window_lm.py:VARIANT`` runs it.
"""

import statistics
import sys

from absl import flags

from zoo import cli, config, tasks
from zoo.bench.markdown import line, rows
from zoo.errors import UserError
from zoo.pages import figures
from zoo.runs import reference


def main(argv):
    names = cli.parse(flags.FlagValues(), argv, __doc__, positional=True)
    if names is None:
        return 0
    if not names:
        raise UserError("no config given, as in: python -m zoo.compare window_lm")
    tables = [table(name, reference.read()) for name in names]
    print("\n\n".join(tables))
    return 0


def table(name: str, entries: dict) -> str:
    """Markdown of the variants of configs/NAME.py, from the entries of runs/reference.json."""
    file = f"configs/{name}.py"
    variants = {v: config.load(f"{file}:{v}") for v in config.variants(file)}
    keys = list(dict.fromkeys(key for c in variants.values() for key, *_ in c.results))
    known = tasks.module(next(iter(variants.values())).task, "config").METRICS
    heads = [f"{known[key].words}, {known[key].unit}" for key in keys]
    lines = rows(["config", "what it is", "parameters", *heads, "training time"])
    for variant, settings in variants.items():
        entry = entries.get(f"{name}:{variant}", {})
        runs, given = entry.get("runs", []), reference.keys(entry)
        cells = [f"`{name}:{variant}`", settings.about + (f", with `{given}`" if given else "")]
        if not runs:
            lines.append(line([*cells, *["–"] * (1 + len(keys)), "not run"]))
            continue
        time = figures.clock(statistics.median(r["train_seconds"] for r in runs))
        own = {key for key, *_ in settings.results}
        shown = [figures.of_runs(runs, key)[1] if key in own else "–" for key in keys]
        lines.append(line([*cells, f"{runs[0]['params']:,}", *shown, time]))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(cli.run(main))
