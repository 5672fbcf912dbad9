"""How well scores tell labels apart, and how far probabilities are to be believed. NumPy, float64."""

import numpy as np


def roc(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(false, true) positive rates, rising from 0 to 1, as the threshold on ``scores`` (n,) falls."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores pass a threshold together
    true, false = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    return np.append(0, false / false[-1]), np.append(0, true / true[-1])


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under that curve: the chance that a positive scores higher, ties counting half."""
    false, true = roc(scores, positive)
    return float(np.trapezoid(true, false))


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """How far the probability (n,) given to an answer is from the share of right ones (n,) bools: the
    mean over equal bins of the former, weighed by what is in them (Guo et al. 2017)."""
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(bin_of, confidence - right)).sum() / len(right))
