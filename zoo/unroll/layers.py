"""Layers made of cells: both directions side by side, one upon the other, dropout between them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from zoo import random
from zoo.cells import Carry, Cell, Params
from zoo.unroll.loop import checked, steps_within, unroll


def bidirectional(
    cell: Cell,
    params: tuple[Params, Params],
    xs: Array,
    carry: tuple[Carry, Carry] | None = None,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    gradient: str = "custom",
    layout: str | None = None,
) -> tuple[tuple[Carry, Carry], Array]:
    """Both directions, outputs side by side: xs (T, B, D) -> ((forward, backward), ys (T, B, 2H)).

    ``params`` and ``carry`` are pairs (forward, backward). ``resets`` mark the first step of a new
    sequence; the backward direction is reset on the other side of the same boundary.
    (Schuster & Paliwal 1997.)
    """
    checked(xs, lengths, resets)
    forward, backward = (None, None) if carry is None else carry
    if lengths is not None and resets is not None:
        resets = resets.astype(bool) & steps_within(len(xs), lengths)
    back = None if resets is None else jnp.roll(resets, -1, axis=0).at[-1].set(False)
    options = {"lengths": lengths, "gradient": gradient, "layout": layout}
    forward, ys = unroll(cell, params[0], xs, forward, resets=resets, **options)
    backward, zs = unroll(cell, params[1], xs, backward, resets=back, reverse=True, **options)
    return (forward, backward), jnp.concatenate([ys, zs], axis=-1)


def stack(
    cell: Cell,
    params: Sequence[Params],
    xs: Array,
    carry: Sequence[Carry] | None = None,
    *,
    dropout: float = 0.0,
    key: Array | None = None,
    layer: Callable[..., tuple[Any, Array]] = unroll,
    **options,
) -> tuple[tuple[Carry, ...], Array]:
    """Layers one upon the other: xs (T, B, D) -> (carries, ys of the last layer (T, B, H)).

    ``params`` and ``carry`` hold one entry a layer. ``dropout`` is locked (one mask for all time
    steps; Gal & Ghahramani 2016) and falls between layers only, where ``key`` is given. ``layer`` is
    ``unroll`` or ``bidirectional``; ``options`` (lengths, resets, …) go to every layer.
    """
    carry = [None] * len(params) if carry is None else carry
    if len(carry) != len(params):
        raise ValueError(f"{len(params)} layers need as many carries; got {len(carry)}")
    after = []
    for i, (p, c) in enumerate(zip(params, carry, strict=True)):
        if i and key is not None:
            xs = locked_dropout(jax.random.fold_in(key, i), xs, dropout)
        c, xs = layer(cell, p, xs, c, **options)
        after.append(c)
    return tuple(after), xs


def locked_dropout(key: Array, xs: Array, rate: float) -> Array:
    """Dropout with one mask for all time steps: xs (T, B, D), mask (1, B, D).

    Kept values are scaled by 1 / (1 - rate). (Gal & Ghahramani 2016, "variational" dropout.)
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout rate must be in [0, 1); got {rate}")
    if not rate:
        return xs
    keep = random.keep(key, rate, (1, *xs.shape[1:]))
    return xs * (keep.astype(xs.dtype) / (1 - rate))
