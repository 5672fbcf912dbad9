"""Gated recurrent unit."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.nn import sigmoid

from zoo.cells.cell import Cell, affine_inputs, kernels, recurrent_matrix, zeros


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
        w_x, w_h = kernels(key, D, H, 3)
        return GRUParams(w_x, w_h, jnp.zeros(3 * H), jnp.zeros(H))

    def carry(params, B):
        return GRUCarry(zeros(params, B))

    def gates(params, carry, gx, gh):
        r_x, z_x, n_x = jnp.split(gx, 3)
        r_h, z_h, n_h = jnp.split(gh, 3)
        r = sigmoid(r_x + r_h)
        z = sigmoid(z_x + z_h)
        n = jnp.tanh(n_x + r * (n_h + params.b_n))
        h = (1 - z) * n + z * carry.h
        return GRUCarry(h), h

    return Cell(init, carry, affine_inputs, recurrent_matrix, gates)
