"""What ``unroll`` is given, made into arrays that fit together, or a ValueError that says what would.

Shapes and types are all that is looked at, and the values of lengths outside ``jit``: this costs tracing
time only.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.cells import Cell, step
from zoo.cells.carry import carry_like, described
from zoo.cells.cell import affine_inputs, matrices


def arrays(xs, lengths, resets):
    """xs (T, B, D), lengths (B,) of an integer type and resets (T, B) of booleans, the last two or None."""
    xs = _array("xs", xs)
    if xs.ndim != 3:
        hint = "; of one sequence, give xs[:, None]" if xs.ndim == 2 else ""
        raise ValueError(f"xs must be (T, B, D), time first; got shape {xs.shape}{hint}")
    T, B, _ = xs.shape
    if lengths is not None:
        lengths = _array("lengths", lengths)
        if lengths.shape != (B,):
            raise ValueError(
                f"lengths must be ({B},) for xs of shape {xs.shape}; got {lengths.shape}"
            )
        if not jnp.issubdtype(lengths.dtype, jnp.integer):
            raise ValueError(f"lengths must be integers; got {lengths.dtype}")
        if not isinstance(xs, jax.core.Tracer):  # else it may be a branch that is not taken
            _check_range(lengths, T)
    if resets is not None:
        resets = _array("resets", resets)
        if resets.shape != (T, B):
            raise ValueError(
                f"resets must be ({T}, {B}) for xs of shape {xs.shape}; got {resets.shape}"
            )
        resets = resets.astype(bool)
    return xs, lengths, resets


def _array(name, value):
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array; got {type(value).__name__}") from None


def _check_range(lengths, T):
    """Looks at the numbers where they are known: not while ``jit`` traces, nor on other machines."""
    if isinstance(lengths, jax.core.Tracer) or not lengths.is_fully_addressable:
        return
    wrong = [n for n in np.asarray(lengths).tolist() if not 0 <= n <= T]
    if wrong:
        raise ValueError(f"lengths must be from 0 to {T}, the steps of xs; got {wrong[0]}")


def cell_and_carry(cell, params, xs, carry):
    """(carry, its type): the carry in the cell's own type, or None; what xs and the weights need of it."""
    if not isinstance(cell, Cell):
        raise ValueError(
            f"cell must be a Cell, such as lstm() with its parentheses; got a {type(cell).__name__}"
        )
    try:
        w_h, *_ = jax.eval_shape(partial(matrices, cell), params)
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"params must be what cell.init gives; got a {type(params).__name__}"
        ) from error
    if cell.inputs is affine_inputs:
        _check_weights(params, w_h, xs, alike=cell.scan is None and cell.operand is None)
    dtype = _wider(w_h.dtype, xs.dtype)
    if carry is None:
        return None, dtype
    carry = carry_like(cell, params, carry, xs.shape[1])
    if _wider(carry.h.dtype, dtype) != carry.h.dtype:
        raise ValueError(
            f"the carry must be {dtype}, as wide as xs ({xs.dtype}) and the weights ({w_h.dtype}); "
            f"got {carry.h.dtype}"
        )
    return carry, carry.h.dtype


def _wider(a, b):
    with jax.numpy_dtype_promotion("standard"):
        return jnp.promote_types(a, b)


def _check_weights(params, w_h, xs, alike):
    """Of x W_x + b; ``alike`` where it has as many numbers as h W_h."""
    if not jnp.issubdtype(xs.dtype, jnp.floating):
        raise ValueError(
            f"xs must be floating-point numbers; got {xs.dtype}: embed them, or make them one-hot"
        )
    if w_h.ndim != 2 or params.w_x.ndim != 2:
        raise ValueError(
            f"w_x and w_h must be matrices; got shapes {params.w_x.shape} and {w_h.shape}"
        )
    D = len(params.w_x)
    name, like = ("w_h", w_h) if alike else ("w_x", params.w_x)
    G, said = like.shape[1], f"as wide as {name} {like.shape}"
    if xs.shape[2] != D:
        raise ValueError(
            f"xs of shape {xs.shape} have {xs.shape[2]} features; w_x {params.w_x.shape} is for {D}"
        )
    for name, want in (("w_x", (D, G)), ("b", (G,))):
        shape = getattr(params, name).shape
        if shape != want:
            raise ValueError(f"{name} must be {want}, {said}; got {shape}")


def check_step(cell, params, xs, carry):
    """Raises ValueError where one step does not go, or does not give back the carry as it came."""
    given = params, carry, jax.ShapeDtypeStruct(xs.shape[1:], xs.dtype)
    given = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), given)
    try:
        after, _ = jax.eval_shape(partial(step, cell), *given)
    except (TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"params {described(params)} do not fit this cell: {reason}") from error
    if jax.tree.structure(after) != jax.tree.structure(carry):
        raise ValueError(f"gates must give back {described(carry)}; got {described(after)}")
    for (path, a), b in zip(jax.tree.leaves_with_path(after), jax.tree.leaves(carry), strict=True):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            name = "carry" + jax.tree_util.keystr(path)
            raise ValueError(
                f"gates must give back {name} as {b.dtype}{list(b.shape[1:])}, as it came; "
                f"got {a.dtype}{list(a.shape[1:])}"
            )


def steps_within(T, lengths):
    """(T, B), True where a step lies within its sequence; in any integer type, for strict promotion."""
    B = lengths.shape[0]
    return lax.broadcasted_iota(jnp.int32, (T, B), 0) < lengths.astype(jnp.int32)[None]
