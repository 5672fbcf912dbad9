"""The minimal LSTM and GRU: gates that do not see the state, so that all steps can be taken at once."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.nn import log_sigmoid, sigmoid
from jax.nn.initializers import glorot_uniform

from zoo.cells.cell import Cell, affine_inputs

_SHORT = 4  # steps that are written out: XLA's loop costs more than what is in them


class MinLSTMParams(NamedTuple):
    """w_x (D, 3H), b (3H,); gates side by side in the order i, f, g."""

    w_x: Array
    b: Array


class MinGRUParams(NamedTuple):
    """w_x (D, 2H), b (2H,); gates side by side in the order z, n."""

    w_x: Array
    b: Array


class MinCarry(NamedTuple):
    """Output h (B, H)."""

    h: Array


def minlstm(forget_bias: float = 1.0) -> Cell:
    """The minimal LSTM (Feng et al. 2024, arXiv 2410.01201).

        i = sigmoid(W_i x + b_i)
        f = sigmoid(W_f x + b_f)
        g = a(W_g x + b_g), with a(v) = v + 0.5 from 0 on, and sigmoid(v) below
        h' = (f h + i g) / (f + i)

    ``forget_bias`` is the initial value of b_f. The state begins at zeros.
    """
    return _minlstm(float(forget_bias))


@cache
def _minlstm(forget_bias):
    def init(key, D, H):
        return MinLSTMParams(_kernel(key, D, H, 3), jnp.zeros(3 * H).at[H : 2 * H].set(forget_bias))

    def factors(gx):
        i, f, g = jnp.split(gx, 3, axis=-1)
        odds = log_sigmoid(f) - log_sigmoid(i)
        return sigmoid(odds), sigmoid(-odds) * _positive(g)

    return _linear(init, factors, 3)


@cache
def mingru() -> Cell:
    """The minimal GRU (Feng et al. 2024, arXiv 2410.01201).

        z = sigmoid(W_z x + b_z)
        n = a(W_n x + b_n), with a(v) = v + 0.5 from 0 on, and sigmoid(v) below
        h' = (1 - z) h + z n

    The state begins at zeros.
    """

    def init(key, D, H):
        return MinGRUParams(_kernel(key, D, H, 2), jnp.zeros(2 * H))

    def factors(gx):
        z, n = jnp.split(gx, 2, axis=-1)
        return sigmoid(-z), sigmoid(z) * _positive(n)

    return _linear(init, factors, 2)


def _kernel(key, D, H, gates):
    """Glorot uniform, each gate drawn as its own matrix."""
    return jnp.concatenate(
        [glorot_uniform()(k, (D, H)) for k in jax.random.split(key, gates)], axis=1
    )


def _positive(v):
    """The paper's g of its appendix B, by which all states are positive."""
    return jnp.where(v >= 0, v + 0.5, sigmoid(v))


def _linear(init, factors, gates):
    """A cell h' = a h + b with ``factors`` gx -> (a, b), pointwise."""

    def units(params):
        return params.b.shape[-1] // gates

    def carry(params, B):
        return MinCarry(jnp.zeros((B, units(params)), params.w_x.dtype))

    def recurrent(params):
        return jnp.zeros((units(params), 0), params.w_x.dtype)

    def one(params, carry, gx, gh):
        a, b = factors(gx)
        h = a * carry.h + b
        return MinCarry(h), h

    def scan(params, gx, carry, mask, resets, reverse):
        a, b = factors(gx)
        if resets is not None:
            a = jnp.where(resets[..., None], 0, a)
        if mask is not None:
            a, b = jnp.where(mask[..., None], a, 1), jnp.where(mask[..., None], b, 0)
        last, hs = linear(a, b, carry.h, reverse)
        return MinCarry(last), hs if mask is None else jnp.where(mask[..., None], hs, 0)

    return Cell(init, carry, affine_inputs, recurrent, one, scan)


def linear(a: Array, b: Array, h: Array, reverse: bool = False, parallel: bool | None = None):
    """The recurrence h_t = a_t h_(t-1) + b_t: a and b (T, ...), h (...) before the first step -> (the last
    h, all of them (T, ...)); from the last step to the first where ``reverse``.

    parallel: all steps at once, in about log2 T rounds (Blelloch 1990), or one after the other. None is the
              former except on CPUs, where it and its gradient take 4 to 7 times the processor time, and
              where T is not known beforehand.
    """
    T = a.shape[0]
    known = isinstance(T, int)
    if parallel is None:
        parallel = known and jax.default_backend() != "cpu"
    if not parallel:
        return lax.scan(_step, h, (a, b), reverse=reverse, unroll=known and T <= _SHORT)
    if not T:
        return h, b
    products, sums = lax.associative_scan(_after, (a, b), reverse=reverse)
    hs = products * h[None] + sums
    return hs[0 if reverse else -1], hs


def _step(h, factors):
    a, b = factors
    h = a * h + b
    return h, h


def _after(first, second):
    """What two steps are together."""
    (a, b), (c, d) = first, second
    return c * a, c * b + d
