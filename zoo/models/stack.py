"""What all modules share: the parameters and zero carry of a stack of layers, and weight drop."""

from itertools import pairwise

import jax
import jax.numpy as jnp


def layers(module, cell, sizes):
    """The parameters of a stack of layers; layer i takes sizes[i] inputs and has sizes[i + 1] units."""
    return [
        module.param(f"layer_{i}", lambda key, d=d, h=h: cell.init(key, d, h))
        for i, (d, h) in enumerate(pairwise(sizes))
    ]


def zero_carry(cell, sizes, batch):
    """The zero carry of each layer of such a stack for ``batch`` sequences."""
    key = jax.random.key(0)
    shapes = [jax.eval_shape(lambda d=d, h=h: cell.init(key, d, h)) for d, h in pairwise(sizes)]
    return tuple(cell.carry(params, batch) for params in shapes)


def weight_drop(key, params, rate):
    """A layer's parameters with DropConnect on its recurrent matrix (Merity et al. 2018)."""
    if not rate:
        return params
    keep = jax.random.bernoulli(key, 1 - rate, params.w_h.shape)
    return params._replace(w_h=jnp.where(keep, params.w_h / (1 - rate), 0))
