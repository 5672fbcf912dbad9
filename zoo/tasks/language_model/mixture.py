"""Two models of one text as one: the mean of their probabilities, one of them with a share."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.errors import UserError
from zoo.tasks.kneser_ney import KneserNey

_HALVINGS = 40


class Mixed(NamedTuple):
    """What is mixed with a network: an n-gram model, and its share in (0, 1)."""

    counted: KneserNey
    share: float


def share_of(
    run: Path, result: dict | None, corpora: tuple[str, ...] = (), member: str = ""
) -> float:
    """The share that training has found, of the ``result`` of a run; of a bank, that of a member, one of
    its ``corpora``. Raises UserError for a run that has none."""
    found = (result or {"metrics": {}})["metrics"].get("valid_mixed_share")
    if found is None:
        raise UserError(
            f"--mixed: {run} has no share of a Kneser-Ney model; train with --config.mix=True"
        )
    return found[corpora.index(member)] if isinstance(found, list) else found


def share(first: np.ndarray, second: np.ndarray) -> float:
    """The share s of the second for which the mean of -log((1 - s) p + s q) is least; ``first`` and
    ``second`` (N,) are -log p and -log q of the symbols of a text.

    The mean is convex in s, so that its derivative, mean((p - q) / ((1 - s) p + s q)), rises: bisection.
    """
    less = np.exp(np.minimum(first, second) - first), np.exp(np.minimum(first, second) - second)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        s = (low + high) / 2
        if np.mean((less[0] - less[1]) / ((1 - s) * less[0] + s * less[1])) > 0:
            high = s
        else:
            low = s
    return (low + high) / 2


def nats(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """-log((1 - share) p + share q) of each symbol (N,)."""
    with np.errstate(divide="ignore"):
        return -np.logaddexp(np.log1p(-share) - first, np.log(share) - second)


def loss(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The mean of ``nats``, and of the shares: each half of the text has the share that is the best of
    the other half, so that no symbol has a part in choosing its own."""
    half = len(first) // 2
    halves = (slice(0, half), slice(half, None))
    shares = [share(first[at], second[at]) if len(first[at]) else 0.5 for at in reversed(halves)]
    each = [nats(first[at], second[at], s) for at, s in zip(halves, shares, strict=True)]
    return float(np.mean(np.concatenate(each))), float(np.mean(shares))
