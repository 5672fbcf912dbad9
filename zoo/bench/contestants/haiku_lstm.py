"""Haiku: hk.dynamic_unroll of hk.LSTM, whose gates are i, g, f, o and whose forget gate adds 1."""

import haiku as hk
import jax.numpy as jnp
import numpy as np

from zoo.bench.contestants.in_jax import runs


def prepare(shape):
    H, B, _, D = shape

    def model(xs):
        core = hk.LSTM(H)
        return hk.dynamic_unroll(core, xs, core.initial_state(B))[0]

    model = hk.without_apply_rng(hk.transform(model))

    def turned(a):
        i, f, g, o = np.split(np.asarray(a), 4, axis=-1)  # and back again: it swaps f and g
        return np.concatenate([i, g, f, o], axis=-1)

    def weights(p):
        b = p.b.copy()
        b[H : 2 * H] -= 1
        w = np.concatenate([p.w_x, p.w_h])
        return {"lstm/linear": {"w": jnp.asarray(turned(w)), "b": jnp.asarray(turned(b))}}

    def gradients(grads):
        w, b = turned(grads["lstm/linear"]["w"]), turned(grads["lstm/linear"]["b"])
        return {"w_x": w[:D], "w_h": w[D:], "b": b}

    return runs(shape, weights, model.apply, gradients)
