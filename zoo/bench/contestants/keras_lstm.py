"""Keras 3: layers.LSTM, on JAX (stateless and compiled) or on PyTorch; the batch comes first."""

import os

import keras
import numpy as np

from zoo.bench import problem
from zoo.bench.worker import Run

_BATCH_MAJOR = (1, 0, 2)


def prepare(shape):
    H, B, T, D = shape
    layer = keras.layers.LSTM(H, return_sequences=True)
    layer.build((B, T, D))
    return _on_jax(shape, layer) if keras.backend.backend() == "jax" else _on_torch(shape, layer)


def _on_jax(shape, layer):
    import jax.numpy as jnp

    from zoo.bench.contestants.in_jax import runs

    rest = [v.value for v in layer.non_trainable_variables]

    def weights(p):
        return [jnp.asarray(a) for a in (p.w_x, p.w_h, p.b)]

    def apply(params, xs):
        return layer.stateless_call(params, rest, xs)[0]

    def gradients(grads):
        return dict(zip(("w_x", "w_h", "b"), grads, strict=True))

    return runs(shape, weights, apply, gradients, batch_major=True)


def _on_torch(shape, layer):
    import torch

    torch.set_num_threads(os.cpu_count())
    p = problem.make(problem.Shape(*shape))
    layer.set_weights([p.w_x, p.w_h, p.b])
    xs, gs = (torch.tensor(np.ascontiguousarray(a.transpose(_BATCH_MAJOR))) for a in (p.xs, p.gs))
    leaf = xs.clone().requires_grad_()
    weights = [v.value for v in layer.trainable_variables]

    def forward():
        with torch.inference_mode():
            return layer(xs)

    def both():
        return torch.autograd.grad((layer(leaf) * gs).sum(), (*weights, leaf))

    def arrays(out):
        named = dict(zip(("w_x", "w_h", "b"), out[:3], strict=True))
        named["xs"] = out[3].permute(_BATCH_MAJOR)
        return {name: a.numpy() for name, a in named.items()}

    ys = lambda out: {"ys": out.permute(_BATCH_MAJOR).numpy()}  # noqa: E731
    return {"forward": Run(forward, ys), "both": Run(both, arrays)}
