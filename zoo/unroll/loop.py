"""One cell over time, with lengths, resets, and either direction."""

import jax.numpy as jnp
from jax import Array, lax

from zoo.cells import Carry, Cell, Params
from zoo.unroll import columns, rows, segments
from zoo.unroll import layout as layouts
from zoo.unroll.steps import varying

GRADIENTS = ("custom", "segments", "plain")


def unroll(
    cell: Cell,
    params: Params,
    xs: Array,
    carry: Carry | None = None,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    gradient: str = "custom",
    layout: str | None = None,
) -> tuple[Carry, Array]:
    """Runs a cell over time: xs (T, B, D) -> (last carry, ys (T, B, H)).

    carry:    the state before the first step; the cell's zeros when None.
    lengths:  (B,) ints in [0, T]. A padded step keeps the carry and puts out zeros, so the carry that
              comes back is that of each sequence's own end; a length of 0 gives back the initial carry.
    resets:   (T, B) booleans; True zeroes the carry before that step is taken, in the order of taking.
    reverse:  from the last step to the first; with lengths, each sequence within its own length.
              ys stay aligned with xs, and the carry that comes back is the one after step 0.
    gradient: "custom" (reverse mode, fast), "segments" (the same for long sequences: it keeps about
              2 sqrt(T) steps instead of T, and takes a third more time), or "plain" (any mode, JAX's own
              gradient of the scan, in rows).
    layout:   of the loop's own arrays, "rows" (B, ·) or "columns" (·, B); the faster one when None.

    Raises ValueError for arrays whose shapes or types do not fit together, an unknown gradient or layout,
    and columns of no steps or with the plain gradient.
    """
    T, B = checked(xs, lengths, resets)
    _check_way(gradient, layout, xs)
    if carry is None:
        carry = cell.carry(params, B)
    if xs.dtype.itemsize > carry.h.dtype.itemsize and jnp.issubdtype(xs.dtype, jnp.floating):
        raise ValueError(
            f"{xs.dtype} inputs need a carry of as many bits; got {carry.h.dtype}: cast one of them"
        )
    mask = None if lengths is None else steps_within(T, lengths)
    resets = None if resets is None else resets.astype(bool)
    if mask is not None and resets is not None:
        resets &= mask  # a padded step is never taken, so neither is its reset
    params, carry = varying((params, carry), like=(xs, params, carry, mask, resets))

    def loop(params, xs, carry, mask, resets):
        if cell.scan is not None:
            return cell.scan(params, cell.inputs(params, xs), carry, mask, resets, reverse)
        if gradient != "plain" and (layout or layouts.fastest(len(xs), B)) == "columns":
            return columns.run(cell, reverse, params, xs, carry, mask, resets)
        gx, w_h = cell.inputs(params, xs), cell.recurrent(params)
        by_rows = rows.plain if gradient == "plain" else rows.custom
        return by_rows(cell, reverse, params, w_h, gx, carry, mask, resets)

    if gradient == "segments" and T:
        return segments.run(loop, reverse, params, xs, carry, mask, resets)
    return loop(params, xs, carry, mask, resets)


def _check_way(gradient, layout, xs):
    if gradient not in GRADIENTS:
        raise ValueError(f"gradient must be one of {', '.join(GRADIENTS)}; got {gradient!r}")
    if layout not in (None, *layouts.LAYOUTS):
        raise ValueError(f"layout must be 'rows', 'columns' or None; got {layout!r}")
    if layout == "columns" and gradient == "plain":
        raise ValueError("columns have no plain gradient: leave the layout out, or the gradient")
    if layout == "columns" and not len(xs):
        raise ValueError(f"columns need at least one step; xs have shape {xs.shape}")


def checked(xs, lengths, resets):
    """(T, B), once the shapes fit together."""
    if xs.ndim != 3:
        raise ValueError(f"xs must be (T, B, D), time first; got shape {xs.shape}")
    T, B, _ = xs.shape
    if lengths is not None and lengths.shape != (B,):
        raise ValueError(f"lengths must be ({B},) for xs of shape {xs.shape}; got {lengths.shape}")
    if resets is not None and resets.shape != (T, B):
        raise ValueError(
            f"resets must be ({T}, {B}) for xs of shape {xs.shape}; got {resets.shape}"
        )
    return T, B


def steps_within(T, lengths):
    """(T, B), True where a step lies within its sequence; in any integer type, for strict promotion."""
    return lax.broadcasted_iota(jnp.int32, (T, len(lengths)), 0) < lengths.astype(jnp.int32)[None]
