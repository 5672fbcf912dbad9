"""Several forecasts as one: which of them count, and how much, by their errors on what they had not seen.

Two thirds of the weights are equal ones of the ``usual`` candidates, methods that are good on most series;
a third is equal ones of the three candidates with the least errors. None has a weight whose error is more
than one and a half times the least. One step ahead and further ahead have weights of their own.

Weights that are fitted to the errors (stacked regression, Breiman 1996) did worse: a series tells too
little about its candidates for that (docs/choices.md).
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError
from zoo.data.files import read_bytes, write_bytes

_FILE = "combination.json"
_FEW = 3  # candidates of the least errors
_SHARE = 1 / 3  # of the weights is theirs
_NEAR = 1.5  # times the least error is what counts


class Combination(NamedTuple):
    """K candidates.

    names:   K names
    weights: (2, K): one step ahead; further ahead
    errors:  (2, K) root mean squared errors on what they had not seen, in scales of the series; NaN for
             none
    """

    names: tuple[str, ...]
    weights: np.ndarray
    errors: np.ndarray


def fit(
    names: tuple[str, ...], forecasts: np.ndarray, actual: np.ndarray, usual: np.ndarray
) -> Combination:
    """The combination of forecasts (K, n, H) for actual (n, H), both in scales of the series; NaN where
    there is none. A candidate without forecasts has no weight. ``usual`` (K,): those that are good on most
    series."""
    weights, errors = [], []
    for steps in (slice(0, 1), slice(1, None)):
        off = (forecasts - actual)[:, :, steps].reshape(len(names), -1)
        known = np.isfinite(off)
        able = known.sum(axis=1) >= 0.5 * max(1, known.sum(axis=1).max())
        rows = known[able].all(axis=0)
        error = np.full(len(names), np.nan)
        if rows.any():
            error[able] = np.sqrt(np.mean(off[able][:, rows] ** 2, axis=1))
        errors.append(error)
        weights.append(_weights(error, usual))
    if not weights[1].any():
        weights[1] = weights[0]
    return Combination(tuple(names), np.array(weights), np.array(errors))


def _weights(error, usual):
    """(K,) of errors (K,), NaN for none; all 0 where none is known."""
    found = np.zeros(len(error))
    if np.isnan(error).all():
        return found
    near = error <= _NEAR * np.nanmin(error)
    best = np.argsort(error)[:_FEW]  # those without an error come last
    best = best[near[best]]
    found[best] = 1 / len(best)
    if (near & usual).any():
        found = _SHARE * found + (1 - _SHARE) * (near & usual) / np.sum(near & usual)
    return found


def among(combination: Combination, names: tuple[str, ...]) -> Combination:
    """The same, for candidates in the order of ``names``: one that it does not know has no weight."""
    at = [combination.names.index(n) if n in combination.names else -1 for n in names]
    weights = np.pad(combination.weights, [(0, 0), (0, 1)])[:, at]
    errors = np.pad(combination.errors, [(0, 0), (0, 1)], constant_values=np.nan)[:, at]
    return Combination(tuple(names), weights, errors)


def combine(combination: Combination, forecasts: np.ndarray) -> np.ndarray:
    """(n, H) of forecasts (K, n, H): of those that are no NaN, with their share of the weights; the mean of
    them where none of these counts."""
    able = np.isfinite(forecasts)
    steps = np.minimum(np.arange(forecasts.shape[2]), 1)
    weights = np.where(able, combination.weights[steps].T[:, None, :], 0)
    total = weights.sum(axis=0)
    weights = np.where(total > 0, weights, able)
    total = weights.sum(axis=0)
    values = np.where(able, forecasts, 0)
    with np.errstate(invalid="ignore"):
        return (weights * values).sum(axis=0) / total


def words(combination: Combination) -> list[list[str]]:
    """A table of the candidates: name, weight and error, one step ahead and further."""
    rows = [["candidate", "weight", "error", "weight ahead", "error ahead"]]
    for i, name in enumerate(combination.names):
        cells = [
            f"{combination.weights[0, i]:.0%}",
            _number(combination.errors[0, i]),
            f"{combination.weights[1, i]:.0%}",
            _number(combination.errors[1, i]),
        ]
        rows.append([name, *cells])
    return rows


def save(combination: Combination, run: Path) -> None:
    """Writes it into a run folder."""
    record = {
        "names": combination.names,
        "weights": combination.weights.tolist(),
        "errors": [
            [e if np.isfinite(e) else None for e in row] for row in combination.errors.tolist()
        ],
    }
    write_bytes(run / _FILE, (json.dumps(record, indent=1) + "\n").encode())


def load(run: Path) -> Combination | None:
    """That of a run; None where it has none. Raises DataError for a damaged file."""
    file = run / _FILE
    if not file.is_file():
        return None
    try:
        record = json.loads(read_bytes(file))
        arrays = [np.array(record[name], np.float64) for name in ("weights", "errors")]
        names = tuple(record["names"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{str(file)!r} is damaged: {error}") from None
    if any(a.shape != (2, len(names)) for a in arrays):
        raise DataError(f"{str(file)!r} is damaged: it needs two rows of {len(names)} numbers")
    return Combination(names, *arrays)


def _number(value):
    return "-" if not np.isfinite(value) else f"{value:.3f}"
