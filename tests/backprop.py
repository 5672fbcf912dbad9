"""Losses and gradients of whole models in NumPy, float64: backpropagation through time, written out.

What decides in ``tests/test_right_numbers.py``: it knows nothing of JAX or XLA, and runs at the sizes of
the configs. Only LSTMs. Parameters are the models' own trees, in float64.
"""

from typing import NamedTuple

import numpy as np
from reference import sigmoid


def lstm_forward(p, xs, carry=None):
    """xs (T, B, D) -> ys (T, B, H), the last (h, c), and what ``lstm_backward`` needs."""
    H = len(p.w_h)
    h, c = carry if carry else (np.zeros((xs.shape[1], H)),) * 2
    kept, ys = [], []
    for x in xs:
        i, f, g, o = np.split(x @ p.w_x + h @ p.w_h + p.b, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new = f * c + i * g
        kept.append((x, h, c, i, f, g, o, np.tanh(new)))
        h, c = o * np.tanh(new), new
        ys.append(h)
    return np.stack(ys), (h, c), kept


def lstm_backward(p, kept, d_ys):
    """d_ys (T, B, H) -> (gradients of the parameters, d_xs)."""
    grads = p._replace(**{name: np.zeros_like(a) for name, a in p._asdict().items()})
    d_h = d_c = np.zeros_like(kept[0][1])
    d_xs = []
    for (x, h, c, i, f, g, o, t), d_y in zip(reversed(kept), reversed(d_ys), strict=True):
        d_h = d_h + d_y
        d_c = d_c + d_h * o * (1 - t * t)
        gates = (
            d_c * g * i * (1 - i),
            d_c * c * f * (1 - f),
            d_c * i * (1 - g * g),
            d_h * t * o * (1 - o),
        )
        d_z = np.concatenate(gates, axis=1)
        for total, more in zip(grads, (x.T @ d_z, h.T @ d_z, d_z.sum(axis=0)), strict=True):
            total += more
        d_h, d_c = d_z @ p.w_h.T, d_c * f
        d_xs.append(d_z @ p.w_x.T)
    return grads, np.stack(d_xs[::-1])


class Stack(NamedTuple):
    """LSTM layers one upon the other, after ``forward``."""

    layers: list
    kept: list
    ys: np.ndarray
    carries: list

    @classmethod
    def forward(cls, params, xs, carries=None):
        """The layers layer_0, layer_1, … of ``params`` over xs (T, B, D)."""
        layers = [params[name] for name in sorted(params) if name.startswith("layer_")]
        kept, after = [], []
        for p, carry in zip(layers, carries or [None] * len(layers), strict=True):
            xs, carry, saved = lstm_forward(p, xs, carry)
            kept.append(saved)
            after.append(carry)
        return cls(layers, kept, xs, after)

    def backward(self, d_ys):
        """d_ys -> ({layer_0: gradients, …}, d_xs)."""
        grads = {}
        for n in reversed(range(len(self.layers))):
            grads[f"layer_{n}"], d_ys = lstm_backward(self.layers[n], self.kept[n], d_ys)
        return grads, d_ys


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


class Language(NamedTuple):
    """A language model (``zoo.models.LanguageModel``, not tied) after ``forward``."""

    params: dict
    inputs: np.ndarray
    targets: np.ndarray
    label: np.ndarray | None
    stack: Stack
    log_p: np.ndarray  # of every symbol, (B, T, V)

    @classmethod
    def forward(cls, params, inputs, targets, label=None, carries=None):
        """inputs and targets (B, T) ints, label (B,) where there are classes."""
        V = len(params["bias"])
        xs = (params["embedding"] if "embedding" in params else np.eye(V))[inputs.T]
        bias = params["bias"][None, None]
        if label is not None:
            vectors = np.stack([params["vectors"][label]] * len(xs))
            xs = np.concatenate([xs, vectors], axis=2)
            bias = bias + params["biases"][label][:, None]
        stack = Stack.forward(params, xs, carries)
        logits = stack.ys.swapaxes(0, 1) @ params["kernel"] + bias
        return cls(params, inputs, targets, label, stack, log_softmax(logits))

    @property
    def chosen(self):
        """log P of the targets, (B, T)."""
        return np.take_along_axis(self.log_p, self.targets[..., None], axis=2)[..., 0]

    def backward(self, d_chosen):
        """The gradients, of d_chosen (B, T)."""
        p = self.params
        d_logits = -np.exp(self.log_p) * d_chosen[..., None]
        np.put_along_axis(
            d_logits,
            self.targets[..., None],
            np.take_along_axis(d_logits, self.targets[..., None], axis=2) + d_chosen[..., None],
            axis=2,
        )
        ys = self.stack.ys.swapaxes(0, 1)
        grads, d_xs = self.stack.backward((d_logits @ p["kernel"].T).swapaxes(0, 1))
        grads["kernel"] = np.einsum("bth,btv->hv", ys, d_logits)
        grads["bias"] = d_logits.sum(axis=(0, 1))
        if "embedding" in p:
            grads["embedding"] = np.zeros_like(p["embedding"])
            E = p["embedding"].shape[1]
            np.add.at(grads["embedding"], self.inputs.T, d_xs[..., :E])
            d_xs = d_xs[..., E:]
        if self.label is not None:
            for name, rows in (("vectors", d_xs.sum(axis=0)), ("biases", d_logits.sum(axis=1))):
                grads[name] = np.zeros_like(p[name])
                np.add.at(grads[name], self.label, rows[:, -p[name].shape[1] :])
        return grads


class Forecast(NamedTuple):
    """A forecaster (``zoo.models.Forecaster``, with center="last" and linear) after ``forward``."""

    params: dict
    window: np.ndarray
    stack: Stack
    values: np.ndarray  # (B, H)

    @classmethod
    def forward(cls, params, window, patch):
        """window (B, L)."""
        level = window[:, -1:]
        window = window - level
        xs = window.reshape(len(window), -1, patch).swapaxes(0, 1)
        stack = Stack.forward(params, xs)
        values = stack.ys[-1] @ params["kernel"] + params["bias"] + window @ params["highway"]
        return cls(params, window, stack, values + level)

    def backward(self, d_values):
        """The gradients, of d_values (B, H)."""
        d_ys = np.zeros_like(self.stack.ys)
        d_ys[-1] = d_values @ self.params["kernel"].T
        grads, _ = self.stack.backward(d_ys)
        grads["kernel"] = self.stack.ys[-1].T @ d_values
        grads["bias"] = d_values.sum(axis=0)
        grads["highway"] = self.window.T @ d_values
        return grads
