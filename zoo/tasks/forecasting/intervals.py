"""How wide prediction intervals are, from the errors that are known."""

import numpy as np

from zoo.data.series.frames import Frame
from zoo.data.series.table import Table

_FEW = 20  # errors; a width by fewer is not trusted to be narrower than that of the step before
_BEYOND = 1.25  # of the largest known error, where more than all of them are to be held


def following(
    errors: np.ndarray, past: int, level: float, recent: int, gamma: float = 0.0
) -> np.ndarray:
    """Half widths (n + 1, H) of one series at each of the last n origins, and after the last one.

    errors: (past + n, H) at each step ahead, by origin, in order of time; NaN where there is none. The
            error h steps ahead of an origin is known h rows later
    recent: the last so many known errors count (Xu & Xie 2021)
    gamma:  how fast the level follows whether the intervals held what came: it rises by gamma times level
            where one did not, and falls by gamma times 1 - level where one did (adaptive conformal
            inference, Gibbs & Candes 2021); 0 for not at all
    """
    n, steps = len(errors) - past, errors.shape[1]
    sizes, widths = np.abs(errors), np.empty((n + 1, steps))
    for h in range(steps):
        wanted, told = level, 0
        for j in range(n + 1):
            for i in range(told, max(0, j - h)):  # what came since
                if np.isfinite(sizes[past + i, h]):
                    held = sizes[past + i, h] <= widths[i, h]
                    wanted += gamma * ((0 if held else 1) - (1 - level))
            told = max(told, j - h)
            known = sizes[: past + max(0, j - h), h]
            widths[j, h] = _width(known[np.isfinite(known)][-recent:], wanted)
    return widths


def floors(table: Table, frame: Frame) -> np.ndarray:
    """(N,) the z below which no series goes: 0 for one that was never negative in training, as counts."""
    parts = zip(table.values, frame.ends[:, 0], strict=True)
    low = [0.0 if values[:end].min() >= 0 else -np.inf for values, end in parts]
    return np.full(len(low), -np.inf) if frame.logs else np.array(low)


def half_widths(residuals: np.ndarray, level: float, horizon: int) -> np.ndarray:
    """(horizon,): how far from the forecast a share ``level`` of the residuals (n, H) lies.

    The ceil((n + 1) level)-th smallest of n, as in split conformal prediction (Lei et al. 2018).
    A step of fewer than 20 residuals is as wide as the one before, at least. Steps past H get the last
    width times sqrt(step / H), as a random walk's errors grow.
    """
    widths = []
    for column in residuals.T:
        errors = column[np.isfinite(column)]
        width = _width(errors, level)
        before = widths[-1] if widths and len(errors) < _FEW else np.nan
        widths.append(np.fmax(width, before))
    last = len(widths)
    widths += [widths[-1] * np.sqrt(h / last) for h in range(last + 1, horizon + 1)]
    return np.array(widths[:horizon])


def _width(errors, level):
    """The ceil((n + 1) level)-th smallest of the n errors' sizes, 0 for a level of 0, a little more than
    all for one above 1; NaN for no errors."""
    if not len(errors):
        return np.nan
    sizes, place = np.sort(np.abs(errors)), int(np.ceil((len(errors) + 1) * level))
    if place < 1:
        return 0.0
    return sizes[-1] * _BEYOND if level > 1 else sizes[min(len(sizes), place) - 1]
