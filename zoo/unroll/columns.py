"""The time loop with one sequence a column, arrays (T, features, B), and its gradient by hand.

On a CPU it is faster than rows of features; ``zoo.unroll.layout`` says where.

- W_x^T x and W_h^T h are one product a step, [W_x^T W_h^T] [x; h]. Projected here, and not for all steps
  at once, the input does not wait for memory.
- dW is added up in blocks of some hundred columns, a few steps each, while what it is made of is in cache:

      dW = sum over blocks of dz_block [x; h]_block^T
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_derivatives import SymbolicZero, custom_vjp_primal_tree_values
from jax.extend.core import Literal

from zoo.cells.cell import affine_inputs, cast, input_share, many, product
from zoo.unroll.steps import at, put, restart, selected, varying

_BLOCK = 512
_TILE = 32  # inputs that AMX multiplies at once; 257 of them take 1.35 times as long as 288
_FEW = 384  # inputs, D + H: with 256 again takes 0.9 of the time, with 512 as long, with 1,024 1.05


class _Products(NamedTuple):
    """The products z of a step: what each matrix is multiplied by, and what they are to the gates.

    operands: x, h -> for each product the parts (·, B) of what its matrix is multiplied by
    shares:   x, z -> gx, gh
    """

    operands: Callable[[Any, Array], tuple[tuple[Array, ...], ...]]
    shares: Callable[[Any, tuple[Array, ...]], tuple[Any, Array]]


# The gates read gx + gh and neither of them alone: one product is enough.
_SUM = _Products(lambda x, h: ((x, h),), lambda x, z: (z[0], jnp.zeros_like(z[0])))
_APART = _Products(lambda x, h: ((x,), (h,)), lambda x, z: z)
# gx was computed beforehand, and takes the place of x.
_GIVEN = _Products(lambda x, h: ((h,),), lambda x, z: (x, z[0]))


def run(cell, reverse, params, xs, carry, mask, resets):
    """``unroll`` of xs (T, B, D), carry (B, ·), mask and resets (T, B) or None."""
    w_h, dtype = cell.recurrent(params), carry.h.dtype
    if many(cell) is not None:
        products, matrices, b = _APART, (params.w_x, w_h), None
        xs = cast(xs, dtype)
    elif cell.inputs is not affine_inputs:
        products, matrices, b = _GIVEN, (w_h,), None
        xs = input_share(cell, params, xs, dtype)
    elif reads_the_sum(cell, params, carry):
        products, matrices, b = _SUM, (jnp.concatenate([params.w_x, w_h]),), params.b
    else:
        products, matrices, b = _APART, (params.w_x, w_h), params.b
    if b is not None:
        xs, b = cast((xs, b), dtype)
    gx = xs if products is _GIVEN else None
    puts_out_h = mask is None and output_is_h(cell, params, carry, gx)
    xs, carry = jax.tree.map(_turn, (xs, carry))
    params = cast(params, dtype)  # from here on read by the gates alone
    way = (cell, products, reverse, puts_out_h)
    last, ys = _loop(*way, params, matrices, b, xs, carry, mask, resets)
    return jax.tree.map(_turn, (last, ys))


def _jaxpr(cell, params, carry, gx=None):
    """The jaxpr of the gates, for one sequence. gx: its share of all steps, (T, B, ·); as gh when None."""

    def one(tree, axes):
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[axes:], a.dtype), tree)

    dtype = carry.h.dtype
    gh = jax.ShapeDtypeStruct(cell.recurrent(params).shape[1:], dtype)
    gx = gh if gx is None else one(gx, 2)
    return jax.make_jaxpr(cell.gates)(cast(params, dtype), one(carry, 1), gx, gh).jaxpr


def output_is_h(cell, params, carry, gx) -> bool:
    """Whether the output of a step is its new h: then ys have the h that the step after it begins with."""
    out, n = _jaxpr(cell, params, carry, gx).outvars, len(jax.tree.leaves(carry))
    return out[n:] == out[:1]


def reads_the_sum(cell, params, carry) -> bool:
    """Whether the gates read gx + gh, and neither of them alone: their jaxpr tells."""
    jaxpr = _jaxpr(cell, params, carry)
    pair = set(jaxpr.invars[-2:])
    read = [{v for v in eqn.invars if not isinstance(v, Literal)} for eqn in jaxpr.eqns]
    read = [
        (eqn.primitive.name, variables) for eqn, variables in zip(jaxpr.eqns, read, strict=True)
    ]
    return [r for r in read if r[1] & pair] == [("add", pair)]


def _turn(a):
    return a.swapaxes(-1, -2)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def _loop(cell, products, reverse, puts_out_h, params, matrices, b, xs, carry, mask, resets):
    options = (params, matrices, b, xs, carry, mask, resets)
    return _over_time(cell, products, reverse, None, *options)[:2]


def _forward(cell, products, reverse, puts_out_h, *options):
    options = custom_vjp_primal_tree_values(options)
    params, matrices, b, xs, carry, mask, resets = options
    last, ys, kept = _over_time(cell, products, reverse, puts_out_h, *options)
    begun = (carry.h, ys) if puts_out_h else None
    return (last, ys), (params, matrices, b, xs, mask, resets, kept, begun)


def _over_time(cell, products, reverse, puts_out_h, params, matrices, b, xs, carry, mask, resets):
    """(last carry, ys (T, H, B), what the gradient needs of a step beside ys: the carry before it, without
    h where ``puts_out_h``, and z or ()). puts_out_h: None where there is no gradient."""
    T = len(jax.tree.leaves(xs)[0])
    wide, gated = _wide(params, carry.h.shape[-1]), partial(_gated, cell, products, params)
    multiplied = _multiplied(matrices, b)

    def one(carry, t):
        carry = restart(carry, at(resets, t), column=True)
        x = at(xs, t)
        operands = products.operands(*cast((x, carry.h), matrices[0].dtype))
        z = multiplied(operands, carry.h.dtype)
        kept = carry._replace(h=()) if puts_out_h else carry
        kept = (kept, () if _again(carry.h, matrices) else z)
        return *gated(wide, carry, x, z, at(mask, t)), kept

    def body(i, state):
        carry, ys, kept = state
        t = T - 1 - i if reverse else i
        carry, y, step = one(carry, t)
        return carry, put(ys, y, t), () if puts_out_h is None else put(kept, step, t)

    _, *each = jax.eval_shape(one, carry, 0)
    leaves, tree = jax.tree.flatten(each if puts_out_h is not None else (each[0], ()))
    # All of it is written over. Where several arrays begin with the same number, XLA on a CPU writes one
    # of them and copies it to the others.
    arrays = tree.unflatten(jnp.full((T, *a.shape), i, a.dtype) for i, a in enumerate(leaves, 1))
    ys, kept = varying(arrays, like=(carry, xs, mask, resets))
    return lax.fori_loop(0, T, body, (carry, ys, kept))


def _multiplied(matrices, b):
    """operands, type -> the products z of a step, the bias in the first."""
    # Transposed once: left to itself, XLA transposes inside the loop on a CPU, at every step.
    more = [-len(w) % _TILE if w.dtype.itemsize == 2 else 0 for w in matrices]
    matrices = [jnp.pad(w.T, ((0, 0), (0, n))) for w, n in zip(matrices, more, strict=True)]
    matrices = lax.optimization_barrier(matrices)

    def multiplied(operands, dtype):
        operands = [_with_zeros(*each) for each in zip(operands, more, strict=True)]
        z = [product(w, a, dtype) for w, a in zip(matrices, _joined(operands), strict=True)]
        return z if b is None else [z[0] + b[:, None], *z[1:]]

    return multiplied


def _with_zeros(parts, n):
    """The parts (·, B) of an operand, and n rows of zeros."""
    return (*parts, jnp.zeros((n, parts[0].shape[-1]), parts[0].dtype)) if n else parts


def _again(h, matrices) -> bool:
    """Whether the gradient makes the products z anew, and they are not kept. To write them, most of what a
    gradient needs, takes longer than to make them in bfloat16, up to some number of inputs."""
    return matrices[0].dtype != h.dtype and sum(map(len, matrices)) <= _FEW


def _backward(cell, products, reverse, puts_out_h, kept, cotangents):
    params, matrices, b, xs, mask, resets, (carries, zs), begun = kept
    d_last, d_ys = cotangents
    d_last = jax.tree.map(lambda a: _zeros(a.shape, a) if _unread(a) else a, d_last)
    T, (H, B) = jax.tree.leaves(d_ys)[0].shape[0], d_last.h.shape
    dtype, half = d_last.h.dtype, matrices[0].dtype
    wide, gated = _wide(params, B), partial(_gated, cell, products, params)
    multiplied = _multiplied(matrices, b)

    def before(t):
        """The carry that step t began with."""
        carry = at(carries, t)
        if not puts_out_h:
            return carry
        first, ys = begun
        if reverse:
            h = jnp.where(t == T - 1, first, at(ys, jnp.minimum(t + 1, T - 1)))
        else:
            h = jnp.where(t == 0, first, at(ys, jnp.maximum(t - 1, 0)))
        return restart(carry._replace(h=h), at(resets, t), column=True)

    def step(t, j, d_carry, d_wide, pairs):
        carry, x = before(t), at(xs, t)
        operands = products.operands(*cast((x, carry.h), half))
        if _again(carry.h, matrices):
            z = [_parts(z[None], 0, H) for z in multiplied(operands, dtype)]
        else:
            z = [_parts(z, t, H) for z in zs]

        def gates(wide, carry, x, parts):
            return gated(wide, carry, x, _joined(parts), at(mask, t))

        _, vjp = jax.vjp(gates, wide, carry, x, z)
        # Zeros of all steps, where the outputs are not read, would be written and read for nothing.
        d_y = jax.tree.map(lambda a: _zeros(a.shape[1:], a) if _unread(a) else at(a, t), d_ys)
        d_y = varying(d_y, like=(d_carry, carry, x))
        d_wide_t, d_carry, d_x, d_parts = vjp((d_carry, d_y))
        pairs = [
            (_put_parts(os, o, j), _put_parts(dzs, d, j))
            for (os, dzs), o, d in zip(pairs, operands, cast(d_parts, half), strict=True)
        ]
        dz = [_bits(lax.dynamic_index_in_dim(dzs, j, 1, False), half) for _, dzs in pairs]
        _, vjp = jax.vjp(lambda x, h: _joined(products.operands(x, h)), x, carry.h)
        d_operands = [product(w, d, dtype) for w, d in zip(matrices, dz, strict=True)]
        d_x_too, d_h = vjp(d_operands)
        # What is not read gets constant zeros here; XLA drops these additions.
        d_x = jax.tree.map(jnp.add, d_x, d_x_too)
        d_wide = jax.tree.map(jnp.add, d_wide, d_wide_t)
        d_carry = d_carry._replace(h=d_carry.h + d_h)
        return restart(d_carry, at(resets, t), column=True), d_wide, d_x, pairs

    def block(start, size, state):
        """``size`` steps from ``start`` on; what dW is made of is in the cache when it is made."""

        def body(i, state):
            d_carry, d_wide, d_xs, pairs = state
            j = i if reverse else size - 1 - i
            d_carry, d_wide, d_x, pairs = step(start + j, j, d_carry, d_wide, pairs)
            return d_carry, d_wide, put(d_xs, d_x, start + j), pairs

        *state, dw, db = state
        *state, pairs = lax.fori_loop(0, size, body, tuple(state))
        each = [_bits((_flat(o[:, :size]), _flat(d[:, :size])), half) for o, d in pairs]
        last_axes = ((1,), (1,)), ((), ())
        dw = [
            a + lax.dot_general(o, d, last_axes, preferred_element_type=a.dtype)
            for a, (o, d) in zip(dw, each, strict=True)
        ]
        if b is not None:
            # A product: XLA is slow at the sum over a last axis on a CPU. With a single vector it would be
            # made in float32.
            dz, ones = each[0][1], jnp.ones((1 if half == dtype else 16, size * B), half)
            db = db + jnp.dot(dz, ones.T, preferred_element_type=db.dtype)[:, 0]
        return *state, pairs, dw, db

    size = min(T, max(1, _BLOCK // B))
    count, rest = divmod(T, size)
    exact = jnp.float32 if dtype.itemsize < 4 else dtype
    dw = [jnp.zeros(w.shape, exact) for w in matrices]
    db = () if b is None else jnp.zeros(b.shape, exact)
    # Not in the place of z: XLA may copy all of z at every step then, so that nothing is read too late.
    pairs = [tuple(jnp.zeros((n, size, B), _kept_as(half)) for n in w.shape) for w in matrices]
    zeros = jax.tree.map(jnp.zeros_like, (wide, xs))
    state = varying((d_last, *zeros, pairs, dw, db), like=(d_last, kept))

    def blocks(state):
        order = (lambda i: i) if reverse else (lambda i: count - 1 - i)
        if count == 1:
            return block(0, size, state)
        return lax.fori_loop(0, count, lambda i, state: block(order(i) * size, size, state), state)

    def remainder(state):
        return block(count * size, rest, state) if rest else state

    state = remainder(blocks(state)) if reverse else blocks(remainder(state))
    d_carry, d_wide, d_xs, _, dw, db = state
    d_params = jax.tree.map(lambda a, p: a.sum(-1) if a.ndim > p.ndim else a, d_wide, params)
    dw = tuple(a.astype(w.dtype) for a, w in zip(dw, matrices, strict=True))
    return d_params, dw, None if b is None else db.astype(b.dtype), d_xs, d_carry, None, None


_loop.defvjp(_forward, _backward, symbolic_zeros=True)


def _unread(cotangent):
    return isinstance(cotangent, SymbolicZero)


def _zeros(shape, like):
    return jnp.zeros(shape, like.dtype)


def _wide(params, B):
    """The parameters with each vector (n,) repeated in every column, (n, B): gates read those only."""
    return jax.tree.map(lambda a: _repeated(a, B) if a.ndim == 1 else a, params)


def _repeated(a, B):
    return jnp.broadcast_to(a[:, None], (len(a), B))


def _gated(cell, products, params, wide, carry, x, z, mask):
    """The gates of one step of all columns."""
    gx, gh = products.shares(x, tuple(z))
    axes = jax.tree.map(lambda a: -1 if a.ndim == 1 else None, params)
    # Of sums over units vmap would make rows, and XLA would turn all that has to do with them.
    gates = many(cell) or jax.vmap(cell.gates, in_axes=(axes, -1, -1, -1), out_axes=-1)
    new, y = gates(wide, carry, gx, gh)
    return selected(mask, new, y, carry, column=True)


def _parts(z, t, H):
    """The gates of step t, each read from z (T, G, B) by itself, as a flat vector.

    XLA vectorises the kernels that read such vectors. Gates cut out of what was read as a whole take three
    times as long on a CPU, and those read as matrices twice as long.
    """
    _, G, B = z.shape
    H = H if G % H == 0 else G
    flat = z.reshape(len(z), G * B)
    return [lax.dynamic_slice(flat, (t, k * B), (1, H * B)).reshape(H, B) for k in range(0, G, H)]


def _put_parts(whole, parts, j):
    """whole (·, K, B) with step j replaced, part by part: put together first, they cost five times as
    much."""
    first = 0
    for part in parts:
        whole = lax.dynamic_update_slice(whole, _bits(part, whole.dtype)[:, None], (first, j, 0))
        first += len(part)
    return whole


def _joined(each):
    return [jnp.concatenate(parts) for parts in each]


def _flat(a):
    """(F, K, B) -> (F, K B)."""
    return a.reshape(len(a), -1)


def _kept_as(dtype):
    """The type that numbers of ``dtype`` are kept as where they are written step by step: on a CPU, XLA
    would convert all of a bfloat16 array to float32 and back at each step."""
    return jnp.dtype("uint16") if dtype.itemsize == 2 else dtype


def _bits(tree, dtype):
    """The same bits as another type, where it is another one."""
    return jax.tree.map(
        lambda a: a if a.dtype == dtype else lax.bitcast_convert_type(a, dtype), tree
    )
