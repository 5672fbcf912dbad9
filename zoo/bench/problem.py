"""What every contestant of ``core`` has to compute, and the answer in NumPy, by the equations.

One LSTM layer over a sequence, and the gradient of sum(ys * gs) with respect to its parameters and its
inputs. The layout is ours: time first, gates side by side in the order i, f, g, o, one bias.
"""

from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    """H units, B sequences, T steps, D inputs."""

    hidden: int
    batch: int
    steps: int
    inputs: int

    def operations(self) -> float:
        """Floating-point operations of the products of a forward pass; the way back has twice as many."""
        return 8.0 * self.hidden * (self.hidden + self.inputs) * self.batch * self.steps

    def weight_bytes(self) -> int:
        """Bytes of the recurrent matrix, which every step reads: float32."""
        return 4 * 4 * self.hidden * self.hidden


class Problem(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,), xs (T, B, D), and gs (T, B, H), the weights of the outputs in the
    loss; float32."""

    w_x: np.ndarray
    w_h: np.ndarray
    b: np.ndarray
    xs: np.ndarray
    gs: np.ndarray


def make(shape: Shape, seed: int = 0) -> Problem:
    """The same arrays in every process."""
    H, B, T, D = shape
    rng = np.random.default_rng(seed)

    def draw(*size, scale=1.0):
        return scale * rng.standard_normal(size, np.float32)

    b = draw(4 * H, scale=0.1)
    b[H : 2 * H] += 1
    w_x, w_h = draw(D, 4 * H, scale=D**-0.5), draw(H, 4 * H, scale=H**-0.5)
    return Problem(w_x, w_h, b, draw(T, B, D), draw(T, B, H))


def solve(problem: Problem) -> dict[str, np.ndarray]:
    """Outputs "ys", and gradients "w_x", "w_h", "b", "xs", in float64."""
    w_x, w_h, b, xs, gs = (a.astype(np.float64) for a in problem)
    T, B, H = gs.shape
    gates, cs = np.empty((T, B, 4 * H)), np.zeros((T + 1, B, H))
    hs = np.zeros((T + 1, B, H))
    for t in range(T):
        z = xs[t] @ w_x + hs[t] @ w_h + b
        z[:, : 2 * H], z[:, 3 * H :] = _sigmoid(z[:, : 2 * H]), _sigmoid(z[:, 3 * H :])
        z[:, 2 * H : 3 * H] = np.tanh(z[:, 2 * H : 3 * H])
        i, f, g, o = np.split(z, 4, axis=1)
        cs[t + 1] = f * cs[t] + i * g
        hs[t + 1] = o * np.tanh(cs[t + 1])
        gates[t] = z
    dz = np.empty_like(gates)
    dh, dc = np.zeros((B, H)), np.zeros((B, H))
    for t in reversed(range(T)):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        c = np.tanh(cs[t + 1])
        dh = dh + gs[t]
        dc = dc + dh * o * (1 - c * c)
        parts = dc * g * i * (1 - i), dc * cs[t] * f * (1 - f), dc * i * (1 - g * g)
        dz[t] = np.concatenate([*parts, dh * c * o * (1 - o)], axis=1)
        dh, dc = dz[t] @ w_h.T, dc * f
    flat = dz.reshape(T * B, 4 * H)
    return {
        "ys": hs[1:],
        "w_x": xs.reshape(T * B, -1).T @ flat,
        "w_h": hs[:-1].reshape(T * B, H).T @ flat,
        "b": flat.sum(axis=0),
        "xs": dz @ w_x.T,
    }


def error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference, beside the largest value if there is one but zero; infinite where something
    is not a number."""
    if got.shape != want.shape or not np.isfinite(got).all():
        return float("inf")
    return float(np.abs(got - want).max() / (np.abs(want).max() or 1))


def _sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))
