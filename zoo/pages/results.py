"""Metrics of runs: beside the reference and the figures of others, all of one run, several side by side."""

import math

from zoo import tasks
from zoo.pages import figures, settings
from zoo.pages.folders import Run
from zoo.pages.markup import Markup, details, join, table, tag
from zoo.runs import reference

_FIRST = 12  # metrics that are not folded away
_LOSSES = ("train_loss", "valid_loss", "test_loss")


def entries() -> dict | None:
    """runs/reference.json, None where the command does not run at the repository's root. Raises UserError
    for a damaged file."""
    return reference.read() if reference.FILE.is_file() else None


def of(run: Run) -> dict:
    """The metrics of a finished run; of an unfinished one what it has logged last of each."""
    if run.result:
        return run.result["metrics"]
    seen = {}
    for record in run.records:
        seen |= {k: v for k, v in record.items() if k not in ("step", "epoch", "seconds")}
    return seen


def progress(run: Run) -> str:
    """How far a run is, in words."""
    if run.result:
        return "finished"
    if run.stages:
        done = sum(1 for stage in run.stages.values() if stage and stage.result)
        return f"not finished: {done} of {len(run.stages)} stages"
    if not run.records:
        return "not finished: nothing logged yet"
    last, c = run.records[-1], run.config
    if c.steps:
        return f"not finished: step {last['step']:,} of {c.steps:,}"
    epoch = last.get("epoch")
    if c.epochs and isinstance(epoch, int | float):
        return f"not finished: epoch {epoch:.3g} of {c.epochs:g}"
    return f"not finished: step {last['step']:,}"


def beside(run: Run, known: dict | None) -> Markup:
    """The metrics that the experiment is about, beside the reference and the figures of others."""
    whole = (known or {}).get(run.experiment, {}).get("runs", [])
    same = next((r for r in whole if run.result and r["seed"] == run.result.get("seed")), None)
    rows = [_row(run, whole, same, *result) for result in _results(run)]
    heads = ["metric", "this run", "figure of others", "better"]
    heads += [f"reference, seed {same['seed']}"] if same else []
    heads += [f"reference, {len(whole)} seeds"] if len(whole) > 1 else []
    label = f"results of {run.name} beside the reference"
    grid = table(heads, rows, label=label) if rows else None
    return join(_verdict(run, known, whole, same), grid)


def _results(run):
    """(metric, figure of others, whose) as the config of the run has them, or else that of today."""
    above = settings.experiment(run)
    found = run.config.results or (above.results if above else ())
    metrics = tasks.module(run.config.task, "config").METRICS
    return [result for result in found if result[0] in metrics]


def _row(run, whole, same, key, other, whose):
    metric = tasks.module(run.config.task, "config").METRICS[key]
    ours = [{"metrics": of(run)}]
    name = join(tag("code", key), tag("span", f"{metric.words}, {metric.unit}", class_="words"))
    theirs, text = (None, "none given") if other is None else figures.other(ours, other)
    won = {"yes": "beaten", "no": "not beaten"}.get(figures.won(metric, ours, key, theirs))
    text = text if other is None else f"{text} by {whose}"
    marked = join(text, tag("span", won, class_="words") if won and run.result else None)
    cells = [name, tag("strong", _figure(of(run), key)), marked, metric.better]
    cells += [_figure(same["metrics"], key)] if same else []
    return cells + ([figures.of_runs(whole, key)[1]] if len(whole) > 1 else [])


def _verdict(run, known, whole, same):
    """Whether the parameters are the bits of the reference, in a sentence."""
    if not run.result:
        return tag("p", "Not finished, so there is nothing to hold against the reference yet.")
    if known is None:
        return tag("p", "No ", tag("code", str(reference.FILE)), " is here to compare with.")
    if not same:
        seed = f" with seed {run.result.get('seed')}" if whole else ""
        return tag("p", "The committed results have no ", tag("code", run.experiment), f"{seed}.")
    prints = [k for k in ("params_sha256", "average_sha256") if same.get(k)]
    if all(same[key] == run.result.get(key) for key in prints):
        return tag("p", tag("strong", "The same bits"), " as the reference: equal parameters.")
    why = ["other settings"] if settings.changed(run) else []
    here = run.result.get("versions", {})
    why += [
        f"{name} {version}, here {here.get(name)}"
        for name, version in same["versions"].items()
        if version != here.get(name)
    ]
    cause = (
        f"It was made with {'; '.join(why)}."
        if why
        else "Settings and versions are equal; on another kind of machine the last digits move."
    )
    return tag("p", tag("strong", "Not the same bits"), f" as the reference. {cause}")


def every(run: Run) -> Markup | None:
    """All metrics of a run, folded away."""
    metrics = of(run)
    if not metrics:
        return None
    rows = [[tag("code", key), _figure(metrics, key)] for key in metrics]
    grid = table(["metric", "this run"], rows, label=f"all metrics of {run.name}")
    return details(f"All {len(rows)} metrics", grid)


def side_by_side(runs: list[Run]) -> Markup:
    """A table with a column a run: what they are, and the metrics that two of them or more have. Of seeds
    of one experiment a column has the mean and the standard deviation."""
    finished = [run for run in runs if run.result]
    seeds = len(finished) > 1 and len({_but_seed(run) for run in runs}) == 1
    heads = ["", *(run.name for run in runs), *(["mean ± deviation"] if seeds else [])]
    rows = [[name, *cells, *([""] if seeds else [])] for name, cells in _facts(runs)]
    keys = _shared(runs)
    for key in keys:
        best = _best(runs, key)
        cells = [
            tag(
                "strong",
                _figure(of(run), key),
            )
            if i in best
            else _figure(of(run), key)
            for i, run in enumerate(runs)
        ]
        mean = [figures.of_runs([r.result for r in finished], key)[1]] if seeds else []
        rows.append([tag("code", key), *cells, *mean])
    first = len(rows) - len(keys) + _FIRST
    main = table(heads, rows[:first], label="runs side by side", class_="runs")
    note = tag("p", "Bold: the best of a row.", class_="note") if "<strong" in main else None
    if not rows[first:]:
        return join(main, note)
    rest = table(heads, rows[first:], label="further metrics side by side", class_="runs")
    return join(main, note, details(f"{len(rows) - first} more metrics", rest))


def _facts(runs):
    """(name, a cell a run) of what is no metric."""
    results = [run.result or {} for run in runs]
    yield "state", [progress(run) for run in runs]
    if len({run.experiment for run in runs}) > 1:
        yield "experiment", [tag("code", run.experiment) for run in runs]
    yield "seed", [run.config.seed for run in runs]
    yield "parameters", [_count(r.get("params")) for r in results]
    yield "steps", [_count(steps(run)) for run in runs]
    yield "training time", [time(run) for run in runs]
    yield "device", [device(run) for run in runs]


def last(run: Run) -> dict:
    """The last log point; {} where there is none."""
    return run.records[-1] if run.records else {}


def steps(run: Run) -> int | None:
    """Updates so far; None where nothing was logged."""
    return (run.result or {}).get("steps", last(run).get("step"))


def time(run: Run) -> str:
    """The seconds of training in words."""
    seconds = (run.result or {}).get("train_seconds", last(run).get("seconds"))
    return "–" if seconds is None else figures.clock(seconds)


def device(run: Run) -> str:
    """Platform and number of devices."""
    if not run.result:
        return "–"
    devices = run.result.get("devices", "–")
    return f"{devices} × {run.result.get('platform', '–')}"


def _count(number):
    return "–" if number is None else f"{number:,}"


def _but_seed(run):
    config = run.config.copy_and_resolve_references()
    config.seed = 0
    return config.to_json_best_effort(sort_keys=True)


def _shared(runs):
    """Metrics that are numbers in two runs or more: first those that most have; of these those that the
    experiments are about, then losses, then the others, those of the last step at the end."""
    about = [result[0] for run in runs for result in _results(run)]
    count: dict[str, int] = {}
    for run in runs:
        for key, value in of(run).items():
            if value is None or _is_number(value):
                count[key] = count.get(key, 0) + 1
    keys = [key for key, n in count.items() if n > 1]
    order = [*about, *_LOSSES]
    rank = {key: order.index(key) for key in set(order)}
    return sorted(keys, key=lambda k: (-count[k], rank.get(k, len(order)), k.endswith("_last")))


def _best(runs, key):
    """Where in a row the best figure stands; nowhere where runs cannot be compared."""
    alike = {(r.config.task, r.unit, str(r.data.get("digest"))) for r in runs}
    metric = tasks.module(runs[0].config.task, "config").METRICS.get(key)
    better = metric.better if metric else "lower" if key in _LOSSES[1:] else ""
    values = [of(run).get(key) if run.result else None for run in runs]
    numbers = [v for v in values if _is_number(v) and math.isfinite(v)]
    if len(alike) > 1 or better not in ("lower", "higher") or len(set(numbers)) < 2:
        return []
    best = min(numbers) if better == "lower" else max(numbers)
    return [i for i, value in enumerate(values) if value == best]


def _figure(metrics, key):
    """A metric as text; of a list each figure, of many the first."""
    value = metrics.get(key, "–")
    if value is None:
        return "not reached"
    if isinstance(value, list):
        shown = ", ".join(_figure({0: v}, 0) for v in value[:8])
        return f"{shown}, … ({len(value)})" if len(value) > 8 else shown
    return figures.exact(value) if _is_number(value) else str(value)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)
