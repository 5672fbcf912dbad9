"""Flax Linen: nn.RNN over nn.OptimizedLSTMCell."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from zoo.bench.contestants.in_jax import runs


def prepare(shape):
    model = nn.RNN(nn.OptimizedLSTMCell(shape[0]), time_major=True)

    def weights(p):
        gates = {}
        parts = (np.split(a, 4, axis=-1) for a in (p.w_x, p.w_h, p.b))
        for name, w_x, w_h, b in zip("ifgo", *parts, strict=True):
            gates[f"i{name}"] = {"kernel": jnp.asarray(w_x)}
            gates[f"h{name}"] = {"kernel": jnp.asarray(w_h), "bias": jnp.asarray(b)}
        return {"params": {"cell": gates}}

    def gradients(grads):
        gates = grads["params"]["cell"]

        def joined(kind, leaf):
            return np.concatenate([gates[kind + name][leaf] for name in "ifgo"], axis=-1)

        return {
            "w_x": joined("i", "kernel"),
            "w_h": joined("h", "kernel"),
            "b": joined("h", "bias"),
        }

    return runs(shape, weights, model.apply, gradients)
