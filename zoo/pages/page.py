"""The whole page: a head that lets nothing in from outside, the runs side by side, a section each."""

from zoo.pages import chart, results, section, style
from zoo.pages.folders import Run
from zoo.pages.markup import Markup, tag

# What a browser is told, in case that an escape should fail: no script, and nothing from elsewhere.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_CHARTS = (
    ("valid_loss", "Validation loss", "step"),
    ("valid_loss", "Validation loss", "seconds"),
    ("train_loss", "Training loss", "step"),
    ("train_loss", "Training loss", "seconds"),
)


def page(runs: list[Run], title: str) -> str:
    """The HTML of a page about ``runs``, one or several. Raises UserError for a damaged reference."""
    known = results.entries()
    several = len(runs) > 1
    body = [
        chart.marks(),
        [tag("h1", title), _contents(runs), _side_by_side(runs)] if several else None,
        [
            section.show(run, known, f"run-{i}", level=2 if several else 1)
            for i, run in enumerate(runs, 1)
        ],
        tag("footer", tag("p", "Made by ", tag("code", "python -m zoo.report"), ".")),
    ]
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("style", Markup(style.CSS)),
    ]
    return "<!DOCTYPE html>\n" + tag(
        "html", tag("head", head), tag("body", tag("main", body)), lang="en"
    )


def _contents(runs):
    links = [
        tag("li", tag("a", run.name, href=f"#run-{i}"), "" if run.result else " (not finished)")
        for i, run in enumerate(runs, 1)
    ]
    return tag("nav", tag("ul", links), aria_label="runs")


def _side_by_side(runs):
    return tag(
        "section",
        tag("h2", "Side by side"),
        tag("div", _charts(runs), class_="charts"),
        results.side_by_side(runs),
    )


def _charts(runs):
    """The validation and the training loss over steps and over time; a set for each unit that two runs
    have, since losses of different units cannot stand on one axis. Each section has a chart of its own."""
    units: dict[str, list[Run]] = {}
    for run in runs:
        if run.records:
            units.setdefault(run.unit, []).append(run)
    drawn = []
    for unit, members in units.items():
        for key, words, x in _CHARTS if len(members) > 1 else ():
            lines = [
                chart.Line(run.name, section.points(run, key, x), i, marks=9)
                for i, run in enumerate(members)
            ]
            title = f"{words} over {'steps' if x == 'step' else 'time'}"
            name = f"loss ({unit})" if unit else "loss"
            drawn.append(
                chart.draw(
                    lines, title=title, x="step" if x == "step" else "seconds of training", y=name
                )
            )
    return drawn
