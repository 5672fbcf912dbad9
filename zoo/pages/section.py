"""What a page says of one run: results, curves, what the model said on its way, plots, settings."""

import base64
import json

from zoo.pages import chart, figures, results, settings
from zoo.pages.folders import Plot, Run
from zoo.pages.markup import Markup, details, join, pre, table, tag

_SHOWN = 4  # samples that are not folded away
_LONG = 110  # characters of a line of a summary that is wrapped
_LOSSES = "loss"  # the plot that the page draws itself


def show(run: Run, known: dict | None, key: str, level: int = 2, stage: bool = False) -> Markup:
    """The section of a run, ``key`` as its id, with a heading of ``level``; those of its stages inside.

    known: the committed results; a ``stage`` is in none of them
    """

    def part(title, *content):
        content = [c for c in content if c]
        return join(tag(f"h{level + 1}", title), *content) if content else None

    stages = [
        show(each, known, f"{key}-{name}", level + 1, stage=True)
        if each
        else join(tag(f"h{level + 1}", f"{run.name}/{name}"), tag("p", "Not begun."))
        for name, each in run.stages.items()
    ]
    return tag(
        "section",
        tag(f"h{level}", run.name, id=key),
        _facts(run),
        part("Results", None if stage else results.beside(run, known), results.every(run)),
        part("Curves", losses(run), _drawn(run)),
        part("Summary", pre(run.summary, f"summary of {run.name}", _LONG) if run.summary else None),
        part("Samples over time", samples(run)),
        part("Plots", plots(run)),
        part("Settings", settings.show(run)),
        part("How it was made", made(run)),
        stages,
        class_="stage" if stage else "run",
    )


def losses(run: Run) -> Markup | None:
    """Training and validation loss over the steps."""
    lines = [
        chart.Line("training (dropout on)", points(run, "train_loss"), 0),
        chart.Line("validation", points(run, "valid_loss"), 1, marks=25),
    ]
    unit = f"loss ({run.unit})" if run.unit else "loss"
    return chart.draw(lines, title=f"Losses of {run.name}", x="step", y=unit)


def points(run: Run, key: str, x: str = "step") -> list[tuple[float, float]]:
    """A metric over the steps or the seconds, as it was logged."""
    return [(r[x], r[key]) for r in run.records if isinstance(r.get(key), int | float)]


def samples(run: Run) -> Markup | None:
    """The first sample, the last, and some between; the others are folded away, each in its place."""
    if not run.samples:
        # A run of stages repeats in its summary what it says here.
        return pre(run.said, "samples") if run.said and run.said not in run.summary else None
    count = len(run.samples)
    shown = sorted({round(i * (count - 1) / (_SHOWN - 1)) for i in range(_SHOWN)})
    parts, before = [], -1
    for i in shown:
        if hidden := run.samples[before + 1 : i]:
            first, last = hidden[0].step, hidden[-1].step
            steps = f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"
            more = "1 more sample" if len(hidden) == 1 else f"{len(hidden)} more samples"
            parts.append(details(f"{more}, {steps}", [_sample(s) for s in hidden]))
        parts.append(_sample(run.samples[i]))
        before = i
    return join(parts)


def _sample(sample):
    caption = tag("figcaption", tag("strong", f"step {sample.step:,}"), " ", sample.title)
    return tag("figure", caption, pre(sample.text, f"step {sample.step}"), class_="sample")


def plots(run: Run) -> Markup | None:
    """The pictures of a run, but for that of its losses, which is folded away below the curves."""
    own = [_picture(run, plot) for plot in run.plots if plot.name != _LOSSES]
    return tag("div", own, class_="plots") if own else None


def _drawn(run):
    own = [_picture(run, plot) for plot in run.plots if plot.name == _LOSSES]
    return details("The same, as training drew it", own) if own else None


def _picture(run, plot: Plot):
    words = plot.name.replace("_", " ")
    if plot.content is None:
        return tag("p", f"plots/{plot.name}.png cannot be read: it is no PNG file.")
    width, height = plot.size
    image = tag(
        "img", src=f"data:image/png;base64,{base64.b64encode(plot.content).decode()}",
        alt=f"Plot of {run.name}: {words}", width=width, height=height,
    )  # fmt: skip
    return tag("figure", image, tag("figcaption", words), class_="plot-file")


def _facts(run):
    """The line below the title, and the figures that are asked for first."""
    result, steps = run.result or {}, results.steps(run)
    facts = [
        ("parameters", f"{result['params']:,}" if "params" in result else None),
        ("steps", f"{steps:,}" if steps is not None else None),
        ("training time", results.time(run) if steps is not None else None),
        ("steps a second", result.get("steps_per_second")),
        ("seed", run.config.seed),
        ("device", results.device(run) if run.result else None),
    ]
    grid = [
        tag("div", tag("dt", name), tag("dd", value)) for name, value in facts if value is not None
    ]
    state = results.progress(run)
    badge = tag("span", state, class_="done" if run.result else "open")
    named = tag("code", run.experiment) if run.config.name else None
    about = run.config.about or None
    line = [part for item in (badge, named, about) if item for part in (" · ", item)][1:]
    return join(tag("p", line, class_="about"), tag("dl", grid, class_="facts"))


def made(run: Run) -> Markup | None:
    """Versions, flags, fingerprints, and what was learned of the data."""
    result = run.result or {}
    rows = [[name, version] for name, version in result.get("versions", {}).items()]
    seconds = result.get("compile_seconds")
    rows += [["compiling", figures.clock(seconds)]] if isinstance(seconds, int | float) else []
    rows += [[key, result[key]] for key in ("canary", "xla_flags") if result.get(key)]
    rows += [
        [key, tag("code", result[key])] for key in result if key.endswith("_sha256") and result[key]
    ]
    rows += [
        [
            f"data: {key}",
            value if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False),
        ]
        for key, value in run.data.items()
    ]
    if not rows:
        return None
    grid = table(["what", "value"], rows, label=f"how {run.name} was made", class_="long")
    return details("Versions, flags, fingerprints, data", grid)
