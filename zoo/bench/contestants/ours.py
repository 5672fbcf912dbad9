"""Our own time loop, with one of its gradients."""

import jax.numpy as jnp

from zoo.bench.contestants.in_jax import runs
from zoo.cells.lstm import LSTMParams, lstm
from zoo.models.stack import with_matrices_in
from zoo.unroll import unroll


def prepare(shape, gradient="custom", precision="float32"):
    cell = lstm()

    def layer(params, xs):
        params = with_matrices_in(jnp.dtype(precision), params)
        return unroll(cell, params, xs, gradient=gradient)[1]

    def weights(p):
        return LSTMParams(*map(jnp.asarray, (p.w_x, p.w_h, p.b)))

    return runs(shape, weights, layer, lambda grads: grads._asdict())
