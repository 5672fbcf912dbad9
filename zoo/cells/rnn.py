"""Simple recurrent network."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from zoo.cells.cell import Cell, affine_inputs, kernels, recurrent_matrix, zeros


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
        w_x, w_h = kernels(key, D, H, 1)
        return RNNParams(w_x, w_h, jnp.zeros(H))

    def carry(params, B):
        return RNNCarry(zeros(params, B))

    def gates(params, carry, gx, gh):
        h = jnp.tanh(gx + gh)
        return RNNCarry(h), h

    return Cell(init, carry, affine_inputs, recurrent_matrix, gates)
