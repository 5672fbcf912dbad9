"""Flax NNX: nnx.RNN over nnx.OptimizedLSTMCell, as a function of its parameters.

Not ``nnx.jit``, which goes over the module in Python at every call.
"""

import jax.numpy as jnp
from flax import nnx

from zoo.bench.contestants.in_jax import runs


def prepare(shape):
    H, B, _, D = shape
    cell = nnx.OptimizedLSTMCell(D, H, rngs=nnx.Rngs(0))
    graph, params, rest = nnx.split(nnx.RNN(cell, time_major=True), nnx.Param, ...)

    def weights(p):
        values = params.to_pure_dict()
        values["cell"] = {
            "dense_i": {"kernel": jnp.asarray(p.w_x)},
            "dense_h": {"kernel": jnp.asarray(p.w_h), "bias": jnp.asarray(p.b)},
        }
        state = params
        nnx.replace_by_pure_dict(state, values)
        return state

    def layer(params, xs):
        zeros = jnp.zeros(
            (B, H)
        )  # without a carry of its own it counts a random key, and cannot be jitted
        return nnx.merge(graph, params, rest)(xs, initial_carry=(zeros, zeros))

    def gradients(grads):
        cell = grads.to_pure_dict()["cell"]
        kernel, dense = cell["dense_i"]["kernel"], cell["dense_h"]
        return {"w_x": kernel, "w_h": dense["kernel"], "b": dense["bias"]}

    return runs(shape, weights, layer, gradients)
