"""Recurrent cells as pure functions: each cell is a NamedTuple of functions over pytrees.

A cell splits one time step into the share of the input, which is computed for the whole sequence
at once before the time loop, and the share of the state, one product ``h @ W_h`` per step:

    gx = cell.inputs(params, xs)              (T, B, G)   before the loop
    gh = carry.h @ cell.recurrent(params)     (B, G)      in the loop
    carry, y = cell.gates(params, carry, gx_t, gh)        pointwise

``zoo.unroll`` runs any cell over time and derives its gradient from ``gates``; ``step`` is one time
step, for use inside your own ``lax.scan``. Arrays are (batch, features); G is the number of gates
times H. No function here keeps state, reads a global or needs Flax.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.nn import sigmoid
from jax.nn.initializers import glorot_uniform, orthogonal

Params = Any
Carry = Any


class Cell(NamedTuple):
    """The functions that make a recurrent cell.

    init:      (key, D, H) -> params, a NamedTuple of arrays of JAX's default float
    carry:     (params, B) -> zero carry, a NamedTuple of (B, H) arrays, ``h`` first
    inputs:    (params, xs (T, B, D)) -> gx, a pytree of (T, B, ·) floating-point arrays
    recurrent: params -> W_h (H, G)
    gates:     (params, carry, gx (B, ·), gh (B, G)) -> carry, y (B, H)
    scan:      None, or (params, gx, carry, mask, resets, reverse) -> carry, ys (T, B, H), for cells
               that treat the whole sequence at once (associative, or not affine in h)
    """

    init: Callable[[Array, int, int], Params]
    carry: Callable[[Params, int], Carry]
    inputs: Callable[[Params, Array], Any]
    recurrent: Callable[[Params], Array]
    gates: Callable[[Params, Carry, Any, Array], tuple[Carry, Array]]
    scan: Callable[..., tuple[Carry, Array]] | None = None


def step(cell: Cell, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]:
    """One time step of any cell: x (B, D) -> (new carry, y (B, H)).

    Equal to one step of ``unroll``; meant for a hand-written ``lax.scan`` and for sampling.
    """
    gx = jax.tree.map(lambda a: a[0], cell.inputs(params, x[None]))
    return cell.gates(params, carry, gx, carry.h @ cell.recurrent(params))


class LSTMParams(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,); gates side by side in the order i, f, g, o."""

    w_x: Array
    w_h: Array
    b: Array


class LSTMCarry(NamedTuple):
    """Output h and memory c, each (B, H)."""

    h: Array
    c: Array


def lstm(forget_bias: float = 1.0, whole: bool = False) -> Cell:
    """Long short-term memory with forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

        i = sigmoid(W_i x + U_i h + b_i)
        f = sigmoid(W_f x + U_f h + b_f)
        g = tanh(W_g x + U_g h + b_g)
        o = sigmoid(W_o x + U_o h + b_o)
        c' = f c + i g
        h' = o tanh(c')

    ``forget_bias`` is the initial value of b_f (Jozefowicz et al. 2015), never added in the forward
    pass, so weights mean the same as in PyTorch, Keras, Flax and cuDNN. PyTorch's two biases are
    summed in ``b``. ``whole`` draws W_x and W_h as one matrix each, as Keras does, instead of a gate
    at a time: smaller initial values.
    """
    return _lstm(float(forget_bias), whole)


@cache
def _lstm(forget_bias, whole):
    def init(key, D, H):
        if whole:
            x, h = jax.random.split(key)
            w_x, w_h = glorot_uniform()(x, (D, 4 * H)), orthogonal()(h, (H, 4 * H))
        else:
            w_x, w_h = _kernels(key, D, H, 4)
        return LSTMParams(w_x, w_h, jnp.zeros(4 * H).at[H : 2 * H].set(forget_bias))

    def carry(params, B):
        return LSTMCarry(_zeros(params, B), _zeros(params, B))

    def gates(params, carry, gx, gh):
        i, f, g, o = _squash(gx + gh, 4, tanh=2)
        c = f * carry.c + i * g
        h = o * jnp.tanh(c)
        return LSTMCarry(h, c), h

    return Cell(init, carry, _inputs, _recurrent, gates)


class GRUParams(NamedTuple):
    """w_x (D, 3H), w_h (H, 3H), b (3H,), b_n (H,); gates in the order r, z, n.

    ``b_n`` is the candidate's recurrent bias, inside the reset gate's product; r and z need only one.
    """

    w_x: Array
    w_h: Array
    b: Array
    b_n: Array


class GRUCarry(NamedTuple):
    """Output h (B, H)."""

    h: Array


@cache
def gru() -> Cell:
    """Gated recurrent unit, reset after the product (Cho et al. 2014, as in cuDNN, Keras, PyTorch).

        r = sigmoid(W_r x + U_r h + b_r)
        z = sigmoid(W_z x + U_z h + b_z)
        n = tanh(W_n x + b + r (U_n h + b_n))
        h' = (1 - z) n + z h

    Gate order r, z, n is PyTorch's; Keras stores z, r, n.
    """

    def init(key, D, H):
        w_x, w_h = _kernels(key, D, H, 3)
        return GRUParams(w_x, w_h, jnp.zeros(3 * H), jnp.zeros(H))

    def carry(params, B):
        return GRUCarry(_zeros(params, B))

    def gates(params, carry, gx, gh):
        r_x, z_x, n_x = jnp.split(gx, 3, axis=-1)
        r_h, z_h, n_h = jnp.split(gh, 3, axis=-1)
        r = sigmoid(r_x + r_h)
        z = sigmoid(z_x + z_h)
        n = jnp.tanh(n_x + r * (n_h + params.b_n[None]))
        h = (1 - z) * n + z * carry.h
        return GRUCarry(h), h

    return Cell(init, carry, _inputs, _recurrent, gates)


class RNNParams(NamedTuple):
    """w_x (D, H), w_h (H, H), b (H,)."""

    w_x: Array
    w_h: Array
    b: Array


class RNNCarry(NamedTuple):
    """Output h (B, H)."""

    h: Array


@cache
def rnn() -> Cell:
    """Simple recurrent network (Elman 1990): h' = tanh(U x + V h + b)."""

    def init(key, D, H):
        w_x, w_h = _kernels(key, D, H, 1)
        return RNNParams(w_x, w_h, jnp.zeros(H))

    def carry(params, B):
        return RNNCarry(_zeros(params, B))

    def gates(params, carry, gx, gh):
        h = jnp.tanh(gx + gh)
        return RNNCarry(h), h

    return Cell(init, carry, _inputs, _recurrent, gates)


CELLS = {
    "lstm": lstm,
    "lstm_keras": partial(lstm, whole=True),  # the same cell from Keras's initial values
    "gru": gru,
    "rnn": rnn,
}


def _inputs(params, xs):
    return xs @ params.w_x + params.b[None, None]


def _recurrent(params):
    return params.w_h


def _squash(z, gates, tanh):
    """Gates side by side, z (B, gates * H), through sigmoid, and the one at index ``tanh`` through tanh.

    With sigmoid(x) = (1 + tanh(x / 2)) / 2 it is one contiguous pass over z, which XLA vectorises on
    a CPU; slices taken first are several passes that it does not.
    """
    half = jnp.full(gates, 0.5, z.dtype).at[tanh].set(1).repeat(z.shape[-1] // gates)[None]
    return jnp.split(half * jnp.tanh(half * z) + (1 - half), gates, axis=-1)


def _zeros(params, B):
    return jnp.zeros((B, params.w_h.shape[0]), params.w_h.dtype)


def _kernels(key, D, H, gates):
    """Glorot uniform input and orthogonal recurrent kernels, each gate drawn as its own matrix."""
    keys = jax.random.split(key, 2 * gates)
    w_x = [glorot_uniform()(k, (D, H)) for k in keys[:gates]]
    w_h = [orthogonal()(k, (H, H)) for k in keys[gates:]]
    return jnp.concatenate(w_x, axis=1), jnp.concatenate(w_h, axis=1)
