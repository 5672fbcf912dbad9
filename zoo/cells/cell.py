"""What a recurrent cell is: a NamedTuple of functions over pytrees.

A cell splits one time step into the share of the input, the share of the state, one product
``h @ W_h``, and what the gates make of the two:

    gx = cell.inputs(params, xs)              (K, B, G)   of K steps, as many as the time loop likes
    gh = carry.h @ cell.recurrent(params)     (B, G)
    carry, y = cell.gates(params, carry, gx, gh)          of one sequence: (H,), (G,)

``zoo.unroll`` runs any cell over time, lays out the batch as the machine likes it, and derives the gradient
from ``gates``; ``step`` is one time step, for use inside your own ``lax.scan``. G is the number of gates
times H. No function here keeps state, reads a global or needs Flax.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import glorot_uniform, orthogonal

from zoo.cells.carry import carry_like

Params = Any
Carry = Any


class Cell(NamedTuple):
    """The functions that make a recurrent cell.

    init:      (key, D, H) -> params, a NamedTuple of arrays of JAX's default float
    carry:     (params, B) -> zero carry, a NamedTuple of (B, H) arrays, ``h`` first
    inputs:    (params, xs (K, B, D)) -> gx, a pytree of (K, B, ·) floating-point arrays, a step by itself.
               ``affine_inputs`` is x W_x + b; time loops know it, and multiply where it is fastest
    recurrent: params -> W_h (H, G)
    gates:     (params, carry, gx (·,), gh (G,)) -> carry, y (H,), of one sequence: carry holds (H,) vectors
    scan:      None, or (params, gx, carry, mask, resets, reverse) -> carry, ys (T, B, H), for cells
               that treat the whole sequence at once, such as associative ones
    operand:   None, or of cells with several products a step, one after the other, what the next matrix
               multiplies: (params, carry, gx, zs) -> (·,), where zs are the products so far. ``recurrent``
               then gives a tuple of matrices, and ``gates`` get the tuple of all products as gh
    columns:   None, or of cells that sum up over units, ``Columns``
    """

    init: Callable[[Array, int, int], Params]
    carry: Callable[[Params, int], Carry]
    inputs: Callable[[Params, Array], Any]
    recurrent: Callable[[Params], Array | tuple[Array, ...]]
    gates: Callable[[Params, Carry, Any, Any], tuple[Carry, Array]]
    scan: Callable[..., tuple[Carry, Array]] | None = None
    operand: Callable[[Params, Carry, Any, tuple[Array, ...]], Array] | None = None
    columns: "Columns | None" = None


class Columns(NamedTuple):
    """Gates of many sequences, one a column, of a cell with these ``inputs`` and ``gates``. A cell that has
    others in their place goes without.

    many: (params, carry, x W_x (G, B), h W_h (G, B)) -> carry, y. Carry and y hold (H, B); parameters that
          are vectors, (n,), come as (n, B). ``inputs`` is what it makes of x W_x
    """

    inputs: Callable[[Params, Array], Any]
    gates: Callable[[Params, Carry, Any, Any], tuple[Carry, Array]]
    many: Callable[[Params, Carry, Array, Array], tuple[Carry, Array]]


def many(cell: Cell) -> Callable[[Params, Carry, Array, Array], tuple[Carry, Array]] | None:
    """The gates of many sequences, one a column, where the cell has such."""
    own = cell.columns is not None and cell.columns[:2] == (cell.inputs, cell.gates)
    return cell.columns.many if own else None


def step(cell: Cell, params: Params, carry: Carry, x: Array) -> tuple[Carry, Array]:
    """One time step of any cell: x (B, D) -> (new carry, y (B, H)).

    Equal to one step of ``unroll``; meant for a hand-written ``lax.scan`` and for sampling.
    """
    x = jnp.asarray(x)
    if x.ndim != 2:
        raise ValueError(f"x must be (B, D), one step of a batch; got shape {x.shape}")
    carry = carry_like(cell, params, carry, x.shape[0])
    dtype = carry.h.dtype
    gx = jax.tree.map(lambda a: a[0], input_share(cell, params, x[None], dtype))
    small = cast(params, dtype)
    gh = products(cell, small, matrices(cell, params), carry, gx)
    return jax.vmap(cell.gates, in_axes=(None, 0, 0, 0))(small, carry, gx, gh)


def matrices(cell: Cell, params: Params) -> tuple[Array, ...]:
    """What a step multiplies by, in order."""
    given = cell.recurrent(params)
    return (given,) if cell.operand is None else given


def products(cell: Cell, params: Params, ws: Sequence[Array], carry: Carry, gx: Any) -> Any:
    """What the gates of all rows get as gh: h W_h, or a tuple of the products with all of ``ws``."""
    zs = ()
    for w in ws:
        zs += (product(operand(cell, params, carry, gx, zs), w, carry.h.dtype),)
    return zs[0] if cell.operand is None else zs


def operand(cell: Cell, params: Params, carry: Carry, gx: Any, zs: tuple[Array, ...]) -> Array:
    """What the matrix after the products ``zs`` multiplies, of all rows."""
    if cell.operand is None:
        return carry.h
    return jax.vmap(cell.operand, in_axes=(None, 0, 0, 0))(params, carry, gx, zs)


def product(a, w, dtype):
    """a @ w, multiplied in the type of the weights w and added up in ``dtype``."""
    if a.dtype == w.dtype == dtype:
        return a @ w
    return jnp.matmul(a.astype(w.dtype), w, preferred_element_type=dtype)


def input_share(cell, params, xs, dtype, product=product):
    """gx of ``dtype``, the type of the carry, of inputs and weights of any floating-point type."""
    if cell.inputs is affine_inputs and {xs.dtype, params.w_x.dtype} != {dtype}:
        return product(xs, params.w_x, dtype) + params.b.astype(dtype)[None, None]
    return cast(cell.inputs(params, cast(xs, matrices(cell, params)[0].dtype)), dtype)


def cast(tree, dtype):
    """The tree with its floating-point arrays in ``dtype``."""

    def one(a):
        return (
            a if a.dtype == dtype or not jnp.issubdtype(a.dtype, jnp.floating) else a.astype(dtype)
        )

    return jax.tree.map(one, tree)


def affine_inputs(params, xs):
    """x W_x + b, of parameters that have ``w_x`` (D, G) and ``b`` (G,)."""
    return xs @ params.w_x + params.b[None, None]


def recurrent_matrix(params):
    return params.w_h


def zeros(params, B):
    return jnp.zeros((B, params.w_h.shape[0]), params.w_h.dtype)


def kernels(key, D, H, gates):
    """Glorot uniform input and orthogonal recurrent kernels, each gate drawn as its own matrix."""
    keys = jax.random.split(key, 2 * gates)
    w_x = [glorot_uniform()(k, (D, H)) for k in keys[:gates]]
    w_h = [orthogonal()(k, (H, H)) for k in keys[gates:]]
    return jnp.concatenate(w_x, axis=1), jnp.concatenate(w_h, axis=1)
