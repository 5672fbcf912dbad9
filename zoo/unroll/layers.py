"""Layers made of cells: both directions side by side, one upon the other, dropout between them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from zoo import random
from zoo.cells import Carry, Cell, Params
from zoo.unroll.arguments import arrays, steps_within
from zoo.unroll.loop import unroll


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
    return_carries: bool = False,
) -> tuple[Any, ...]:
    """Both directions, outputs side by side: xs (T, B, D) -> ((forward, backward), ys (T, B, 2H)).

    ``params`` and ``carry`` are pairs (forward, backward). ``resets`` mark the first step of a new
    sequence; the backward direction is reset on the other side of the same boundary. ``return_carries``
    gives a third result, the pair of the carries after each step.
    (Schuster & Paliwal 1997.)
    """
    xs, lengths, resets = arrays(xs, lengths, resets)
    for name, pair in (("params", params), ("carry", (None, None) if carry is None else carry)):
        if len(pair) != 2:
            raise ValueError(f"{name} must be a pair (forward, backward); got {len(pair)} of them")
    forward, backward = (None, None) if carry is None else carry
    if lengths is not None and resets is not None:
        resets &= steps_within(xs.shape[0], lengths)
    back = None if resets is None else jnp.concatenate([resets[1:], jnp.zeros_like(resets[:1])])
    options = {"lengths": lengths, "gradient": gradient, "layout": layout}
    options["return_carries"] = return_carries
    forward, ys, *each = unroll(cell, params[0], xs, forward, resets=resets, **options)
    backward, zs, *back = unroll(
        cell, params[1], xs, backward, resets=back, reverse=True, **options
    )
    both = (forward, backward), jnp.concatenate([ys, zs], axis=-1)
    return (*both, (*each, *back)) if return_carries else both


def stack(
    cell: Cell | Sequence[Cell],
    params: Sequence[Params],
    xs: Array,
    carry: Sequence[Carry] | None = None,
    *,
    dropout: float = 0.0,
    key: Array | None = None,
    layer: Callable[..., tuple[Any, Array]] = unroll,
    **options,
) -> tuple[Any, ...]:
    """Layers one upon the other: xs (T, B, D) -> (carries, ys of the last layer (T, B, H)).

    ``params`` and ``carry`` hold one entry a layer, and so may ``cell``: layers of different cells and
    widths, each as wide as its own parameters. ``dropout`` is locked (one mask for all time
    steps; Gal & Ghahramani 2016) and falls between layers only, where ``key`` is given. ``layer`` is
    ``unroll`` or ``bidirectional``; ``options`` (lengths, resets, …) go to every layer. With
    ``return_carries=True`` the third result has the carries after each step, of every layer.
    """
    cells = [cell] * len(params) if isinstance(cell, Cell) else cell
    carry = [None] * len(params) if carry is None else carry
    for name, entries in (("carries", carry), ("cells", cells)):
        if len(entries) != len(params):
            raise ValueError(f"{len(params)} layers need as many {name}; got {len(entries)}")
    after, each = [], []
    for i, (one, p, c) in enumerate(zip(cells, params, carry, strict=True)):
        if i and key is not None:
            xs = locked_dropout(jax.random.fold_in(key, i), xs, dropout)
        try:
            c, xs, *carries = layer(one, p, xs, c, **options)
        except ValueError as error:
            error.add_note(f"in layer {i} of the stack")
            raise
        after.append(c)
        each += carries
    return (tuple(after), xs, tuple(each)) if each else (tuple(after), xs)


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
