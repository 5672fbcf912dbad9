"""Several forecasts as one: which of them count, and how much, by their errors on what they had not seen.

Stacked regression (Wolpert 1992; Breiman 1996): weights of at least 0 that sum to 1 and make the squared
error of the combination least, with a penalty for leaving those of a rule: half for the simplest
candidates, which come last, and half for the others, less for those with larger errors. Late errors count
for more. The mean of these weights and of equal ones is taken: those of the three candidates with the least
errors, if no more than twice the least. One step ahead and further ahead have weights of their own.
"""

import json
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError
from zoo.data.files import read_bytes, write_bytes

_FILE = "combination.json"
_PENALTY = 5.0  # rows that speak for what stands before
_HALF = 0.15  # of the rows: as much older an error counts half
_FEW = 3  # candidates that count alike
_NEAR = 2.0  # times the least error that they may have


class Combination(NamedTuple):
    """K candidates.

    names:   K names
    weights: (2, K): one step ahead; further ahead
    errors:  (2, K) root mean squared errors on what they had not seen, late ones counting for more, in
             scales of the series; NaN for none
    """

    names: tuple[str, ...]
    weights: np.ndarray
    errors: np.ndarray


def fit(
    names: tuple[str, ...],
    forecasts: np.ndarray,
    actual: np.ndarray,
    simple: int = 1,
    age: np.ndarray | None = None,
) -> Combination:
    """The combination of forecasts (K, n, H) for actual (n, H), both in scales of the series; NaN where
    there is none. A candidate without forecasts has no weight. The last ``simple`` ones stand for half
    before any error is known. ``age`` (n,) in [0, 1]: how long ago a row is, in lengths of its series;
    without it all rows count alike."""
    weights, errors = [], []
    counts = np.ones(len(actual)) if age is None else 0.5 ** (age / _HALF)
    for steps in (slice(0, 1), slice(1, None)):
        each = forecasts[:, :, steps].reshape(len(names), -1)
        truth = actual[:, steps].ravel()
        off = each - truth
        known = np.isfinite(off)
        able = known.sum(axis=1) >= 0.5 * max(1, known.sum(axis=1).max())
        rows = known[able].all(axis=0)
        error, found = np.full(len(names), np.nan), np.zeros(len(names))
        if rows.any():
            count = np.repeat(counts, actual[:, steps].shape[1])[rows]
            known_off = off[able][:, rows] * np.sqrt(count / count.mean())
            error[able] = np.sqrt(np.mean(known_off**2, axis=1))
            # The steps ahead of one origin, and of those among them, are no independent rows.
            width = actual[:, steps].shape[1]
            penalty = _PENALTY * width * (width + 1) / 2
            prior = _prior(able, simple, error, power=4 if width == 1 else 2)
            few = np.argsort(error)[:_FEW]  # those without an error come last
            few = few[error[few] <= _NEAR * error[few[0]]]
            found[able] = best_weights(known_off, prior, penalty) / 2
            found[few] += 0.5 / len(few)
        errors.append(error)
        weights.append(found)
    if not weights[1].any():
        weights[1] = weights[0]
    return Combination(tuple(names), np.array(weights), np.array(errors))


def _prior(able, simple, error, power):
    """Of those that are able: half for the simple ones, half for the others, and less for larger errors, by
    a power of them (the second is for errors that know nothing of each other, Bates & Granger 1969)."""
    last = np.arange(len(able)) >= len(able) - simple
    prior = np.where(last, 0.5 / max(1, (able & last).sum()), 0.5 / max(1, (able & ~last).sum()))[
        able
    ]
    prior = prior / np.maximum(error[able], 1e-6 * np.nanmax(error)) ** power
    return prior / prior.sum()


def best_weights(errors: np.ndarray, prior: np.ndarray, penalty: float) -> np.ndarray:
    """w (K,), w >= 0, sum w = 1, of the least sum over n of (w . errors)^2 + penalty s |w - prior|^2, s
    being the mean square of the errors (K, n); K is small: every choice of those above 0 is tried."""
    k = len(errors)
    pull = penalty * np.mean(errors**2)
    square = errors @ errors.T + pull * np.eye(k)
    best, least = prior / prior.sum(), np.inf
    for size in range(1, k + 1):
        for chosen in map(list, combinations(range(k), size)):
            part = square[np.ix_(chosen, chosen)]
            try:
                both = np.linalg.solve(
                    part, np.stack([np.ones(size), pull * prior[chosen]], axis=1)
                )
            except np.linalg.LinAlgError:
                continue
            # Of the least square under the sum: a step along the first that makes the sum 1.
            solved = both[:, 1] + both[:, 0] * (1 - both[:, 1].sum()) / both[:, 0].sum()
            if not (solved >= 0).all():
                continue
            w = np.zeros(k)
            w[chosen] = solved
            value = w @ square @ w - 2 * pull * (w @ prior)
            if value < least:
                best, least = w, value
    return best


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
