"""Equinox: a scan over eqx.nn.LSTMCell, which takes one row and is mapped over the batch."""

import equinox as eqx
import jax
import jax.numpy as jnp

from zoo.bench.contestants.in_jax import runs


def prepare(shape):
    H, B, _, D = shape

    def weights(p):
        cell = eqx.nn.LSTMCell(D, H, key=jax.random.key(0))
        where = lambda c: (c.weight_ih, c.weight_hh, c.bias)  # noqa: E731
        values = tuple(map(jnp.asarray, (p.w_x.T, p.w_h.T, p.b)))
        return eqx.tree_at(where, cell, values)

    def layer(cell, xs):
        def one(state, x):
            state = jax.vmap(cell)(x, state)
            return state, state[0]

        zeros = jnp.zeros((B, H))
        return jax.lax.scan(one, (zeros, zeros), xs)[1]

    def gradients(grads):
        return {"w_x": grads.weight_ih.T, "w_h": grads.weight_hh.T, "b": grads.bias}

    return runs(shape, weights, layer, gradients)
