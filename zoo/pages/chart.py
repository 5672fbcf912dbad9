"""Curves as SVG inside a page: text keeps its size at every width, since places are shares of the width."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from zoo.pages.markup import Markup, join, tag

COLORS = 8  # that style.py has; further lines have them again, with other marks
_MOST = 600  # points of a line; of more, the lowest and highest of each stretch
_SHAPES = (
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "M-3.2-3.2h6.4v6.4h-6.4z",
    "M0-4.4L4.2 3.2H-4.2z",
    "M0-4.6L4.6 0L0 4.6L-4.6 0z",
    "M0 4.4L4.2-3.2H-4.2z",
    "M-4-1.3h2.7v-2.7h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7z",
)
_MARKS = (*_SHAPES, *_SHAPES[:2])  # the last ones hollow


class Line(NamedTuple):
    """A curve: its name, (x, y) points in order, its color, and how many of its points have a mark."""

    name: str
    points: Sequence[tuple[float, float]]
    color: int
    marks: int = 0


class _Axis(NamedTuple):
    """low and high at the ends, in logarithms where ``log``; where there are ticks."""

    low: float
    high: float
    ticks: list[float]
    log: bool

    def share(self, value):
        value = math.log10(value) if self.log else value
        return (value - self.low) / (self.high - self.low)


def draw(lines: list[Line], *, title: str, x: str, y: str) -> Markup | None:
    """A figure with a title, a legend above the curves, and axes named ``x`` and ``y``; the vertical one is
    logarithmic where the highest value is ten times the lowest. None where there is no point to draw.

    Points that are no finite numbers leave a gap.
    """
    lines = [line for line in lines if any(_finite(point) for point in line.points)]
    if not lines:
        return None
    points = [point for line in lines for point in line.points if _finite(point)]
    across = _linear(0, max(px for px, _ in points) or 1, 5)
    heights = [py for _, py in points]
    up = _logarithmic(heights) if _wide(heights) else _linear(min(heights), max(heights), 5)
    logarithmic = ", logarithmic" if up.log else ""
    body = join(
        [_grid(across, value, vertical=True) for value in across.ticks],
        [_grid(up, value, vertical=False) for value in up.ticks],
        tag("text", x, x="50%", y="100%", dy="38", text_anchor="middle", class_="axis"),
        tag(
            "svg", [_path(line, across, up) for line in lines],
            viewBox="0 0 1000 1000", preserveAspectRatio="none", width="100%", height="100%",
        ),
        [_marks(line, across, up) for line in lines],
    )  # fmt: skip
    drawing = tag("svg", body, class_="plot", role="img", aria_label=_words(lines, title, x))
    caption = tag("figcaption", tag("strong", title), tag("span", f"{y}{logarithmic}", class_="y"))
    return tag("figure", caption, _legend(lines), drawing, class_="chart")


def marks() -> Markup:
    """The shapes of marks, which every chart of a page uses."""
    full = {"fill": "currentColor"}
    hollow = {"fill": "var(--paper)", "stroke": "currentColor", "stroke_width": "1.6"}
    shapes = [
        tag("path", d=d, id=f"mark{i}", **(full if i < len(_SHAPES) else hollow))
        for i, d in enumerate(_MARKS)
    ]
    return tag("svg", tag("defs", shapes), width="0", height="0", aria_hidden="true", class_="none")


def _legend(lines):
    """Above the drawing, so that it covers no curve."""
    return tag("ul", [tag("li", _swatch(line), line.name) for line in lines], class_="legend")


def _swatch(line):
    stroke = tag("line", x1="1", y1="7", x2="27", y2="7", stroke="currentColor", stroke_width="2")
    mark = tag("use", href=_shape(line), x="14", y="7") if line.marks else None
    return tag(
        "svg", stroke, mark, width="28", height="14", class_=_color(line), aria_hidden="true"
    )


def _grid(axis, value, *, vertical):
    """A tick: a thin line across the drawing, and its number outside."""
    at = f"{100 * axis.share(value):.4g}%"
    label = _number(value, axis)
    if vertical:
        line = tag("line", x1=at, x2=at, y1="0", y2="100%")
        return join(line, tag("text", label, x=at, y="100%", dy="18", text_anchor="middle"))
    at = f"{100 - 100 * axis.share(value):.4g}%"
    line = tag("line", x1="0", x2="100%", y1=at, y2=at)
    return join(line, tag("text", label, x="0", dx="-8", y=at, dy=".32em", text_anchor="end"))


def _path(line, across, up):
    """The curve in a square of 1000 by 1000; a gap where a value is no number."""
    strokes, stroke = [], []
    for point in [*_thinned(line.points), (math.nan, math.nan)]:
        if _finite(point) and (point[1] > 0 or not up.log):
            place = (1000 * across.share(point[0]), 1000 - 1000 * up.share(point[1]))
            stroke.append("{:.1f} {:.1f}".format(*place))
        elif stroke:
            strokes.append("M" + "L".join(stroke))
            stroke = []
    return tag("path", d="".join(strokes), class_=_color(line))


def _marks(line, across, up):
    """Marks on points that are spread evenly over the line; on a single point always."""
    points = [p for p in line.points if _finite(p) and (p[1] > 0 or not up.log)]
    count = min(len(points), line.marks or (1 if len(points) == 1 else 0))
    if not count:
        return None
    chosen = {round(i * (len(points) - 1) / max(1, count - 1)) for i in range(count)}
    uses = [
        tag(
            "use", href=_shape(line), x=f"{100 * across.share(points[i][0]):.4g}%",
            y=f"{100 - 100 * up.share(points[i][1]):.4g}%",
        )
        for i in sorted(chosen)
    ]  # fmt: skip
    return tag("g", uses, class_=_color(line))


def _shape(line):
    return f"#mark{(line.color + line.color // COLORS) % len(_MARKS)}"


def _color(line):
    return f"s{line.color % COLORS}"


def _words(lines, title, x):
    """The drawing in words: where each curve begins, ends and is lowest."""
    parts = [f"{title}."]
    for line in lines:
        points = [p for p in line.points if _finite(p)]
        (x0, y0), (x1, y1), low = points[0], points[-1], min(points, key=lambda p: p[1])
        parts.append(
            f"{line.name}: {y0:.4g} at {x} {x0:,.0f}, {y1:.4g} at {x1:,.0f}, lowest {low[1]:.4g} "
            f"at {low[0]:,.0f}."
        )
    return " ".join(parts)


def _thinned(points):
    """At most ``_MOST`` points, with the lowest and the highest of each stretch: a spike stays."""
    if len(points) <= _MOST:
        return points
    kept, size = [], -(-len(points) // (_MOST // 2))
    for start in range(0, len(points), size):
        part = points[start : start + size]
        numbers = [i for i, p in enumerate(part) if _finite(p)]
        if len(numbers) < len(part):
            kept.append((math.nan, math.nan))
        if numbers:
            ends = {f(numbers, key=lambda i: part[i][1]) for f in (min, max)}
            kept += [part[i] for i in sorted(ends)]
    return kept


def _finite(point):
    return all(isinstance(v, int | float) and math.isfinite(v) for v in point)


def _wide(values):
    return min(values) > 0 and max(values) >= 10 * min(values)


def _linear(low, high, most):
    """An axis with round ticks, at most ``most`` + 1, and ends at ticks or a little beyond the values."""
    if high <= low:
        low, high = low - (abs(low) * 0.1 or 1), high + (abs(high) * 0.1 or 1)
    size = 10 ** math.floor(math.log10((high - low) / most))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if (high - low) / (size * m) <= most)
    margin = 0.02 * (high - low)
    bottom, top = (low if low == 0 else low - margin), high + (margin if low else 0)
    first = math.ceil(bottom / step - 1e-9)
    ticks = [i * step for i in range(first, math.floor(top / step + 1e-9) + 1)]
    return _Axis(bottom, top, ticks, False)


def _logarithmic(values):
    """An axis with ticks at 1, 2 and 5 times powers of ten, or at powers alone where those are many."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = 0.02 * (high - low)
    low, high = low - margin, high + margin
    powers = range(math.floor(low), math.ceil(high) + 1)
    for steps in ((1, 2, 5), (1,)):
        ticks = [m * 10.0**p for p in powers for m in steps if low <= math.log10(m) + p <= high]
        if len(ticks) <= 7:
            break
    return _Axis(low, high, ticks[:: -(-len(ticks) // 7)], True)


def _number(value, axis):
    """A tick's number, as precise as the distance of ticks asks for."""
    if axis.log:
        return f"{value:,.10g}" if 1e-4 <= value < 1e6 else f"{value:.0e}"
    step = axis.ticks[1] - axis.ticks[0] if len(axis.ticks) > 1 else abs(value) or 1
    largest = max(abs(tick) for tick in axis.ticks)
    if largest >= 1e7 or step < 1e-5:
        digits = math.floor(math.log10(largest)) - math.floor(math.log10(step)) + 2
        return f"{value:.{digits}g}"
    places = max(0, -math.floor(math.log10(step)))
    exact = all(abs(tick - round(tick, places)) < step / 100 for tick in axis.ticks)
    return f"{value:,.{places if exact else places + 1}f}"
