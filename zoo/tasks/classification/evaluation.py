"""Probabilities of many texts, and how right and how sure they are. NumPy, float64."""

from functools import partial

import jax
import numpy as np
from jax import lax

from zoo.data.buckets import bucket_of
from zoo.tasks.classification import generative
from zoo.tasks.labels import calibration_error

_ROWS = 64  # texts of a call
_COLDEST, _HOTTEST = 0.05, 20.0  # temperatures
_MIXED = 1024  # texts at once: with many classes, each step of all of them would take gigabytes


def log_p(task, params, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """log P(class | text) by each model's members, (models, members, n, C), of texts as ``task.padded``
    gives them. Where the model reads pieces, it is the mean of theirs, by their lengths."""
    if task.longest <= task.widths[-1]:
        return _of_pieces(task, params, arrays)
    pieces, text = _pieces(task.widths[-1], **arrays)
    weights = pieces["lengths"].astype(np.float64)
    each = _of_pieces(task, params, pieces) * weights[:, None]
    total = np.zeros((*each.shape[:2], len(arrays["lengths"]), each.shape[-1]))
    np.add.at(total, (slice(None), slice(None), text), each)
    total /= np.maximum(arrays["lengths"], 1)[:, None]
    return total - _log_sum(total)


def _pieces(width, tokens, lengths, **_):
    """The pieces of texts, one after the other, and the text of each."""
    counts = np.maximum(-(-lengths // width), 1)
    text = np.repeat(np.arange(len(lengths)), counts)
    first = (np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts, counts)) * width
    padded = np.pad(tokens, ((0, 0), (0, width)))
    tokens = padded[text[:, None], first[:, None] + np.arange(width)]
    return {"tokens": tokens, "lengths": np.minimum(lengths[text] - first, width)}, text


def _of_pieces(task, params, arrays):
    tokens, lengths = arrays["tokens"], arrays["lengths"]
    sizes = len(task.models), max(1, task.members), len(lengths), len(task.classes)
    out = np.zeros(sizes)
    bucket = bucket_of(lengths, task.widths)
    log_prior = np.log(task.prior).astype(np.float32)
    for b, width in enumerate(task.widths):
        mine = np.flatnonzero(bucket == b)
        for i in range(0, len(mine), _ROWS):
            rows = mine[i : i + _ROWS]
            filled = np.pad(rows, (0, _ROWS - len(rows)), mode="edge")
            given = tokens[filled, :width], lengths[filled], log_prior
            for number, (objective, model) in enumerate(task.models.items()):
                own = task.part(params, objective)
                got = _members(model, objective == "generative", bool(task.members), own, *given)
                out[number, :, rows] = np.moveaxis(np.asarray(got, np.float64), 0, 1)[: len(rows)]
    return out


def mixed(each: np.ndarray, temperature: float = 1.0, share: float = 0.0) -> np.ndarray:
    """The log of the mean of the members' probabilities, (models, members, n, C) -> (n, C), over
    ``temperature``. Of two models, the mean of the logs, in which the second has ``share``."""
    out = np.empty(each.shape[2:])
    for i in range(0, len(out), _MIXED):
        some = each[:, :, i : i + _MIXED]
        highest = some.max(axis=1)
        means = highest + np.log(np.mean(np.exp(some - highest[:, None]), axis=1))
        if len(means) > 1:
            scores = ((1 - share) * means[0] + share * means[1]) / temperature
        else:
            scores = means[0] / temperature
        out[i : i + _MIXED] = scores - _log_sum(scores)
    return out


def metrics(log_p: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """loss (nats a text), accuracy, macro_f1 and ece of log P (n, C); a label of -1 is never right, and
    not in the loss."""
    told, known = log_p.argmax(axis=1), labels >= 0
    chosen = log_p[known, labels[known]]
    right = told == labels
    return {
        "loss": float(-chosen.mean()) if known.any() else float("nan"),
        "accuracy": float(right.mean()),
        "macro_f1": float(f1(told, labels, log_p.shape[1]).mean()),
        "ece": calibration_error(np.exp(log_p.max(axis=1)), right),
    }


def f1(told: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """F1 of each class that a label or an answer names."""
    hits = np.bincount(told[told == labels], minlength=classes)
    named = np.bincount(told, minlength=classes) + np.bincount(
        labels[labels >= 0], minlength=classes
    )
    return 2 * hits[named > 0] / named[named > 0]


def fitted(each: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(temperature, share) for the lowest loss of ``mixed`` on these labels: (1, 0) of no labels, and a
    share of 0 for one model. The loss is convex in the two weights, (1 - share) / temperature and
    share / temperature."""
    if not len(labels):
        return 1.0, 0.0
    if len(each) == 1:
        return temperature(mixed(each), labels), 0.0
    from scipy.optimize import minimize  # not where it is not needed: it takes a moment to load

    means = np.stack([mixed(one[None]) for one in each])  # of the members: (2, n, C)
    right = means[:, np.arange(len(labels)), labels]

    def loss(weights):
        scores = np.tensordot(weights, means, 1)
        total = _log_sum(scores)
        expected = np.sum(np.exp(scores - total) * means, axis=-1)
        return np.mean(total[:, 0] - weights @ right), np.mean(expected - right, axis=-1)

    limits = [(0, 1 / _COLDEST)] * 2
    weights = minimize(loss, (0.5, 0.5), jac=True, method="L-BFGS-B", bounds=limits).x
    share = float(weights[1] / max(weights.sum(), 1 / _HOTTEST))
    return temperature(mixed(means[:, None], share=share), labels), share


def temperature(log_p: np.ndarray, labels: np.ndarray) -> float:
    """What log P (n, C) is divided by for the lowest loss on these labels, from 1/20 to 20 (Guo et al.
    2017)."""
    return _lowest(lambda at: _loss(log_p / at, labels), _COLDEST, _HOTTEST)


def _loss(scores, labels):
    scores = scores - _log_sum(scores)
    return -scores[np.arange(len(labels)), labels].mean()


def _lowest(loss, low, high):
    """Where a loss with one minimum between two positive numbers is lowest, by golden-section search on a
    logarithmic scale."""
    low, high, golden = np.log(low), np.log(high), (5**0.5 - 1) / 2
    for _ in range(40):
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if loss(np.exp(a)) < loss(np.exp(b)) else (a, high)
    return float(np.exp((low + high) / 2))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _members(model, is_generative, several, params, tokens, lengths, log_prior):
    def one(params):
        if is_generative:
            return generative.log_p(model, params, tokens, lengths, log_prior)
        return jax.nn.log_softmax(model.apply(params, tokens, lengths))

    return lax.map(one, params) if several else one(params)[None]


def _log_sum(scores):
    highest = scores.max(axis=-1, keepdims=True)
    return highest + np.log(np.exp(scores - highest).sum(axis=-1, keepdims=True))
