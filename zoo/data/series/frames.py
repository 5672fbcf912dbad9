"""Series as a network sees them: transformed, differenced, scaled; and the way back.

    z = log y                            or y itself
    d_t = z_t - sum_j a_j z_(t-j)        the lags of ``difference``, multiplied out
    u = (d - shift) / scale              of each series, from its training part (or all of it)

A network reads and writes ``u``. ``undo`` turns its forecasts from an origin into values, with the
true z before the origin and the forecasts after it. An origin is (series, t): the first row that is
forecast; rows count from each series' own start.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError
from zoo.data.series import calendar
from zoo.data.series.table import Table

SPLITS = ("train", "valid", "test")


class Frame(NamedTuple):
    """N series of up to T rows, K features known in advance, on one axis of rows.

    z:       (N, T) float64, NaN after a series' end
    u:       (N, T) float32, zero where there is none: before the lags and after the end
    known:   (N, T + F, K) float32, F rows into the future
    lengths: (N,) rows of each series
    ends:    (N, 3) the row at which each split ends: train, valid, test
    shift, scale: (N,) float64
    plans:   (2, N, columns) float64, shift and scale of what is known in advance
    a:       (D,) float64, a_j at j - 1
    logs:    z is the logarithm
    """

    z: np.ndarray
    u: np.ndarray
    known: np.ndarray
    lengths: np.ndarray
    ends: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    plans: np.ndarray
    a: np.ndarray
    logs: bool


class View(NamedTuple):
    """How a network sees series: a frame of them, and ``length`` past values of it at a time."""

    frame: Frame
    length: int

    @property
    def need(self) -> int:
        """Rows before the first origin."""
        return len(self.frame.a) + self.length


def frame(
    table: Table,
    *,
    transform: str = "none",
    difference: Sequence[int] = (),
    scaler: str = "standard",
    scale: str = "train",
    with_calendar: bool = False,
    valid: float = 0.0,
    test: float = 0.0,
    like: Frame | None = None,
    future: int = 0,
) -> Frame:
    """The frame of a table.

    transform:  "none" or "log"
    difference: lags, each applied after the other: (1, 12) is the difference of seasonal differences
    scaler:     "standard" (mean 0, deviation 1), "minmax" (0 to 1) or "none"
    scale:      what it is measured on, "train" (honest) or "all" (looks ahead, as many tutorials do)
    valid, test: the last rows, as a fraction of each series or, from 1 on, a number of rows
    like:       the frame of the training data, whose shifts and scales are taken over
    future:     rows after the end that ``known`` must reach: the horizon, rounded up to whole blocks of
                model.horizon, since a forecast reads ``known`` from its window's start up to
                start + length + horizon rounded up. ``batches.cut`` does not notice where rows lack
                there: it reads earlier ones instead

    Raises DataError for values that a logarithm does not take, with series and time.
    """
    lengths = np.array([len(v) for v in table.values])
    rows = int(lengths.max())
    z = np.full((len(lengths), rows), np.nan)
    for i, values in enumerate(table.values):
        if transform == "log" and values.min() <= 0:
            at = int(np.argmin(values > 0))
            when = calendar.show(table.times[i][at], table.frequency)
            raise DataError(
                f"series {table.names[i]!r} is {values[at]:g} at {when}: a logarithm needs values above "
                "0; use --config.data.transform=none"
            )
        z[i, : len(values)] = np.log(values) if transform == "log" else values
    a = coefficients(difference)
    d = z - sum((c * _later(z, j + 1) for j, c in enumerate(a) if c), np.zeros_like(z))
    d[:, : len(a)] = np.nan
    ends = np.stack([_ends(n, valid, test) for n in lengths])
    if like is None:
        last = lengths if scale == "all" else ends[:, 0]
        shift, spread = _measure(d, last, scaler)
        seen = [k[: max(1, end)] for k, end in zip(table.known, ends[:, 0], strict=True)]
        deviation = np.stack([k.std(axis=0) for k in seen])
        plans = np.stack([[k.mean(axis=0) for k in seen], np.where(deviation > 0, deviation, 1)])
    else:
        shift, spread, plans = like.shift, like.scale, like.plans
    u = np.nan_to_num((d - shift[:, None]) / spread[:, None]).astype(np.float32)
    known = _known(table, rows, future, with_calendar, plans)
    return Frame(z, u, known, lengths, ends, shift, spread, plans, a, transform == "log")


def coefficients(lags: Sequence[int]) -> np.ndarray:
    """a (D,) of 1 - sum_j a_j B^j = prod over lags of (1 - B^lag); D = 0 without lags."""
    polynomial = np.ones(1)
    for lag in lags:
        polynomial = np.convolve(polynomial, [1.0] + [0.0] * (lag - 1) + [-1.0])
    return -polynomial[1:]


def origins(frame: Frame, split: str, need: int, horizon: int, skip: int = 0) -> np.ndarray:
    """(n, 2) int32 of (series, t): all rows t..t+horizon-1 in the split, ``need`` rows before.

    The last ``skip`` rows of the split are left out.
    """
    k = SPLITS.index(split)
    pairs = []
    for i, ends in enumerate(frame.ends):
        first = max(need, ends[k - 1] if k else 0)
        t = np.arange(first, ends[k] - skip - horizon + 1)
        pairs.append(np.stack([np.full(len(t), i), t], axis=1))
    return np.concatenate(pairs).astype(np.int32)


def undo(frame: Frame, origins: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Forecasts u (n, H) from origins (n, 2) -> z (n, H), in float64."""
    series, t = origins.T
    d = np.asarray(u, np.float64) * frame.scale[series, None] + frame.shift[series, None]
    lag = len(frame.a)
    past = [frame.z[series, t - j] for j in range(lag, 0, -1)]
    for h in range(d.shape[1]):
        past.append(d[:, h] + sum(c * past[-j - 1] for j, c in enumerate(frame.a) if c))
    return np.stack(past[lag:], axis=1)


def combine(
    views: Sequence[View], origins: np.ndarray, u: np.ndarray, use: np.ndarray | None = None
) -> np.ndarray:
    """Forecasts u (M, n, H) of members that take the views in turn -> their mean z (n, H), float64.

    ``use`` (M, n) says which members count where; those whose view does not reach back far enough
    never do. NaN where none is left.
    """
    total, count = np.zeros(u.shape[1:]), np.zeros((u.shape[1], 1))
    for k, view in enumerate(views):
        able = origins[:, 1] >= view.need
        mine = u[k :: len(views)]
        weight = np.broadcast_to(able, mine.shape[:2])
        weight = weight if use is None else weight * use[k :: len(views)]
        n = weight.sum(0)[:, None]
        if not able.any():
            continue
        mean = (mine * weight[:, :, None]).sum(0) / np.maximum(n, 1)
        z = undo(view.frame, np.where(able[:, None], origins, [[0, view.need]]), mean)
        total += np.where(n, z * n, 0)
        count += n
    return np.where(count, total / np.maximum(count, 1), np.nan)


def values(frame: Frame, z: np.ndarray) -> np.ndarray:
    """z in the series' own unit."""
    return np.exp(z) if frame.logs else z


def actual(frame: Frame, origins: np.ndarray, horizon: int, split: str) -> np.ndarray:
    """The true z (n, H) from origins on; NaN past the end of the split."""
    series, t = origins.T
    at = t[:, None] + np.arange(horizon)
    z = np.pad(frame.z, [(0, 0), (0, horizon)], constant_values=np.nan)
    ends = frame.ends[series, SPLITS.index(split), None]
    return np.where(at < ends, z[series[:, None], at], np.nan)


def _later(z, lag):
    moved = np.full_like(z, np.nan)
    moved[:, lag:] = z[:, :-lag]
    return moved


def _ends(n, valid, test):
    test, valid = (round(part * n) if part < 1 else int(part) for part in (test, valid))
    return np.array([n - test - valid, n - test, n])


def _measure(d, last, scaler):
    """(shift, scale), each (N,); the scale of a constant series is 1."""
    parts = [row[: int(end)] for row, end in zip(d, last, strict=True)]
    parts = [part[np.isfinite(part)] for part in parts]
    parts = [part if len(part) else np.zeros(1) for part in parts]
    if scaler == "none":
        return np.zeros(len(d)), np.ones(len(d))
    if scaler == "minmax":
        shift = np.array([p.min() for p in parts])
        scale = np.array([p.max() for p in parts]) - shift
    else:
        shift, scale = (np.array([f(p) for p in parts]) for f in (np.mean, np.std))
    # Rounding leaves a constant series a deviation of some 1e-16, not zero.
    constant = scale <= 1e-12 * np.maximum(np.abs(shift), 1e-300)
    return shift, np.where(constant, 1.0, scale)


def _known(table, rows, future, with_calendar, plans):
    width = max(rows + future, *(len(k) for k in table.known))
    known = np.zeros((len(table.names), width, len(table.features)))
    for i, k in enumerate(table.known):
        known[i, : len(k)] = (k - plans[0, i]) / plans[1, i]
    parts = [known]
    if with_calendar:
        stamps = [
            np.concatenate([t, calendar.following(t, width - len(t), table.frequency)])
            for t in table.times
        ]
        parts.append(np.stack([calendar.features(s, table.frequency) for s in stamps]))
    return np.concatenate(parts, axis=2).astype(np.float32)
