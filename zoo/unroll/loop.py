"""One cell over time, with lengths, resets, and either direction."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from zoo.cells import Carry, Cell, Params
from zoo.cells.cell import Columns, cast, input_share, many, matrices
from zoo.unroll import arguments, columns, explicit, rows, segments
from zoo.unroll import layout as layouts
from zoo.unroll.reverse import reverse_only
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
    return_carries: bool = False,
) -> tuple[Carry, Array] | tuple[Carry, Array, Carry]:
    """Runs a cell over time: xs (T, B, D) -> (last carry, ys (T, B, H)), or (last carry, ys, carries).

    carry:    the state before the first step, in the cell's own type or as a plain tuple, such as (h, c);
              the cell's own beginning, zeros for most, when None.
    lengths:  (B,) ints in [0, T]. A padded step keeps the carry and puts out zeros, so the carry that
              comes back is that of each sequence's own end; a length of 0 gives back the initial carry.
    resets:   (T, B) booleans; True zeroes the carry before that step is taken, in the order of taking.
    reverse:  from the last step to the first; with lengths, each sequence within its own length.
              ys stay aligned with xs, and the carry that comes back is the one after step 0.
    gradient: "custom" (reverse mode, fast), "segments" (the same for long sequences: it keeps about
              2 sqrt(T) steps instead of T, and takes a third more time), or "plain" (any mode, JAX's own
              gradient of the scan, in rows).
    layout:   of the loop's own arrays, "rows" (B, ·) or "columns" (·, B); the faster one when None.
    return_carries: the carry after each step too, a carry of (T, B, ·) arrays.

    Products are made in the type of the weights; they are added up, and everything else is computed, in the
    type of the carry. So with bfloat16 weights, a float32 carry is mixed precision. Without a carry it is
    the wider type of xs and weights.

    Over a mesh, explicit axes or automatic ones, ys are sharded over the batch as xs are.

    Raises ValueError for arrays whose shapes or types do not fit together, an unknown gradient or layout,
    columns of no steps, with the plain gradient or of a cell of several products, and carries of a cell
    with its own ``scan`` that carries more than its output.
    """
    xs, lengths, resets = arguments.arrays(xs, lengths, resets)
    _check_way(cell, gradient, layout, xs, reverse, return_carries)
    carry, dtype = arguments.cell_and_carry(cell, params, xs, carry)
    way = partial(_over_time, cell, dtype, reverse, gradient, layout, return_carries)
    last, ys, carries = explicit.run(way, params, xs, carry, lengths, resets)
    return (last, ys, carries) if return_carries else (last, ys)


def _over_time(
    cell, dtype, reverse, gradient, layout, return_carries, params, xs, carry, lengths, resets
):
    """(last carry, ys, carries or None)."""
    T, B, _ = xs.shape
    if carry is None:
        carry = cast(cell.carry(params, B), dtype)
    if cell.scan is None:
        arguments.check_step(cell, params, xs, carry)
    mask = None if lengths is None else arguments.steps_within(T, lengths)
    if mask is not None and resets is not None:
        resets &= mask  # a padded step is never taken, so neither is its reset
    params, carry = varying((params, carry), like=(xs, params, carry, mask, resets))
    if gradient != "plain" and cell.scan is None:
        params, xs, carry = reverse_only((params, xs, carry))
    one = _keeping(cell) if return_carries else cell

    def loop(params, xs, carry, mask, resets):
        if cell.scan is not None:
            gx = input_share(cell, params, xs, dtype)
            last, ys = cell.scan(params, gx, carry, mask, resets, reverse)
            if return_carries and not _is_output(cell, params, carry, gx):
                raise ValueError(
                    "a cell with its own scan gives no carries, but where its output is all of them: "
                    "leave return_carries out"
                )
            carries = jax.tree.unflatten(jax.tree.structure(last), [ys]) if return_carries else None
            return last, (ys, carries) if return_carries else ys
        wanted = layout or layouts.fastest(xs.shape[0], B)
        if gradient != "plain" and cell.operand is None and wanted == "columns":
            return columns.run(one, reverse, params, xs, carry, mask, resets)
        by_rows, times = rows.WAYS[gradient == "plain"]
        gx, by = input_share(cell, params, xs, dtype, times), matrices(cell, params)
        return by_rows(one, reverse, cast(params, dtype), by, gx, carry, mask, resets)

    if gradient == "segments" and T:
        last, ys = segments.run(loop, reverse, params, xs, carry, mask, resets)
    else:
        last, ys = loop(params, xs, carry, mask, resets)
    if not return_carries:
        return last, ys, None
    ys, carries = ys
    if mask is not None:
        carries = jax.tree.map(partial(_kept, mask), carries, carry if reverse else last)
    return last, ys, carries


def _keeping(cell):
    """The cell with its new carry as a second output."""

    def keeping(gates):
        def one(*given):
            carry, y = gates(*given)
            return carry, (y, carry)

        return one

    gates, columns = keeping(cell.gates), many(cell)
    if columns is not None:
        columns = Columns(cell.inputs, gates, keeping(columns))
    return cell._replace(gates=gates, columns=columns)


def _is_output(cell, params, carry, gx):
    """Whether the carry is h alone, and h the output."""
    return len(jax.tree.leaves(carry)) == 1 and columns.output_is_h(cell, params, carry, gx)


def _kept(mask, each, other):
    """each (T, B, ·), and other (B, ·) in the padding."""
    return jnp.where(mask.reshape(*mask.shape, *(1,) * (other.ndim - 1)), each, other[None])


def _check_way(cell, gradient, layout, xs, reverse, return_carries):
    if gradient not in GRADIENTS:
        raise ValueError(f"gradient must be one of {', '.join(GRADIENTS)}; got {gradient!r}")
    if layout not in (None, *layouts.LAYOUTS):
        raise ValueError(f"layout must be 'rows', 'columns' or None; got {layout!r}")
    for name, flag in (("reverse", reverse), ("return_carries", return_carries)):
        if not isinstance(flag, bool | int | np.bool_):
            raise ValueError(f"{name} must be True or False; got {flag!r}")
    if layout == "columns" and gradient == "plain":
        raise ValueError("columns have no plain gradient: leave the layout out, or the gradient")
    if layout == "columns" and isinstance(cell, Cell) and cell.operand is not None:
        raise ValueError("columns are for cells of one product a step: leave the layout out")
    if layout == "columns" and not all(xs.shape[:2]):
        raise ValueError(
            f"columns need at least one step and one sequence; xs have shape {xs.shape}"
        )
    known = all(isinstance(n, int) for n in xs.shape[:2])
    if not known and (layout == "columns" or gradient == "segments"):
        raise ValueError(f"xs of any size {xs.shape} need rows and the custom or plain gradient")
