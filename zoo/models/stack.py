"""What all modules share: the parameters and zero carry of a stack of layers, and weight drop."""

import re
from functools import lru_cache
from itertools import pairwise

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo import random
from zoo.bounds import PRECISIONS
from zoo.cells import CELLS, Carry


class Stacked:
    """A module over a stack of layers: ``cell``, the name of one in CELLS, is the module's own, and so is
    ``_sizes()``, the inputs of the first layer and the units of each, or ``_pairs()``, both of each, and
    ``precision``, one of PRECISIONS."""

    @nn.nowrap
    def carry(self, batch: int) -> tuple[Carry, ...]:
        """The zero carry of each layer for ``batch`` sequences."""
        kind = CELLS[self.cell]
        shapes = [_shapes(kind, d, h) for d, h in self._pairs()]
        return tuple(self._cell.carry(params, batch) for params in shapes)

    @property
    def _cell(self):
        return CELLS[self.cell]()

    @nn.nowrap
    def _pairs(self):
        return list(pairwise(self._sizes()))

    @nn.nowrap
    def _in_training(self, layers):
        """The parameters of the layers in the type that a training step multiplies in."""
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ValueError(f"precision must be one of {known}; got {self.precision!r}")
        return with_matrices_in(jnp.bfloat16, layers) if self.precision == "bfloat16" else layers

    @nn.nowrap
    def _layers(self, name="layer"):
        """The parameters of the layers, by the names NAME_0, NAME_1, …"""
        return [
            self.param(f"{name}_{i}", lambda key, d=d, h=h: self._cell.init(key, d, h))
            for i, (d, h) in enumerate(self._pairs())
        ]


@lru_cache
def _shapes(kind, d, h):
    """The parameters of a cell as shapes: to trace its initial values takes milliseconds."""
    return jax.eval_shape(lambda: kind().init(jax.random.key(0), d, h))


def with_matrices_in(dtype, layers):
    """Parameters of layers with the matrices in a type, so that products are made in it; vectors stay."""
    return jax.tree.map(lambda a: a.astype(dtype) if a.ndim > 1 else a, layers)


def read_in(dtype, params):
    """The params of a model, or of an ensemble, with the matrices of its layers in a type."""

    def one(path, a):
        names = [getattr(key, "key", "") for key in path]
        of_layer = any(re.fullmatch(r"(layer|backward)_\d+", name) for name in names)
        return with_matrices_in(dtype, a) if of_layer else a

    return jax.tree_util.tree_map_with_path(one, params)


def weight_drop(key, params, rate):
    """A layer's parameters with DropConnect on its recurrent matrix (Merity et al. 2018), if it has one."""
    if not rate or "w_h" not in params._fields:
        return params
    keep = random.keep(key, rate, params.w_h.shape)
    return params._replace(w_h=jnp.where(keep, params.w_h / (1 - rate), 0))


def penalised(model, params, *args, **options):
    """(what ``model.apply`` gives, the sum of the penalties that the model has sown meanwhile)."""
    if not (model.activation or model.temporal):
        return model.apply(params, *args, **options), 0.0
    outputs, sown = model.apply(params, *args, **options, mutable=["penalties"])
    return outputs, sum(jax.tree.leaves(sown))


def penalise(module, ys, dropped):
    """Activation regularisation (Merity et al. 2017) of a layer's outputs (T, B, H), before and after
    dropout, by the weights ``activation`` and ``temporal`` of the module: sown into "penalties"."""
    if module.activation:
        module.sow("penalties", "activation", module.activation * jnp.mean(dropped**2))
    if module.temporal:
        change = ys[1:] - ys[:-1]
        module.sow("penalties", "temporal", module.temporal * jnp.mean(change**2))
