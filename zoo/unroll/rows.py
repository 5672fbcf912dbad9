"""The time loop with one sequence a row, arrays (T, B, features), and two gradients of it.

JAX's own gradient of ``lax.scan`` adds each step's weight gradient into an array in the loop's
carry: it reads and writes all of W_h at every step. Here the forward loop keeps what the gates saw,
the backward loop yields d(gh) of every step, and dW_h is one product over all steps at once:

    dW_h = sum_t h_{t-1}^T d(gh)_t

Where a cell has several products a step, each matrix has such a sum. It is derived from ``cell.gates``
and ``cell.operand`` by ``jax.vjp``, so a new cell needs no new gradient. The small gradients of parameters
inside them (a recurrent bias, peepholes) accumulate in the loop; those of W_x and b, outside it, are JAX's
own. ``plain`` is the scan itself, for JAX's own gradient: slower, but it has a forward mode (``jax.jvp``,
``jax.linearize``) and higher derivatives.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from zoo.cells.cell import operand, product, products
from zoo.unroll.steps import restart, selected, short, varying


def _gated(cell, params, carry, gx, gh, mask):
    """The gates of one step of all rows."""
    new, y = jax.vmap(cell.gates, in_axes=(None, 0, 0, 0))(params, carry, gx, gh)
    return selected(mask, new, y, carry)


def _scan(body, carry, each, reverse):
    return lax.scan(
        body, carry, each, reverse=reverse, unroll=short(jax.tree.leaves(each)[0].shape[0])
    )


def plain(cell, reverse, params, matrices, gx, carry, mask, resets):
    def body(carry, each):
        gx, mask, reset = each
        carry = restart(carry, reset)
        return _gated(cell, params, carry, gx, products(cell, params, matrices, carry, gx), mask)

    return _scan(body, carry, (gx, mask, resets), reverse)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def custom(cell, reverse, params, matrices, gx, carry, mask, resets):
    return plain(cell, reverse, params, matrices, gx, carry, mask, resets)


def _forward(cell, reverse, params, matrices, gx, carry, mask, resets):
    def body(carry, each):
        gx, mask, reset = each
        carry = restart(carry, reset)
        gh = products(cell, params, matrices, carry, gx)
        new, y = _gated(cell, params, carry, gx, gh, mask)
        return new, (y, carry, gh)

    last, (ys, carries, gh) = _scan(body, carry, (gx, mask, resets), reverse)
    return (last, ys), (params, matrices, gx, gh, carries, mask, resets)


def _backward(cell, reverse, kept, cotangents):
    params, matrices, gx, gh, carries, mask, resets = kept
    d_last, d_ys = cotangents
    # Transposed once: left to itself, XLA transposes inside the loop on a CPU, at every step.
    turned = lax.optimization_barrier(tuple(w.T for w in matrices))

    def body(state, each):
        d_carry, d_params = state
        carry, gx, gh, mask, reset, d_y = each

        def gates(params, carry, gx, gh):
            return _gated(cell, params, carry, gx, gh, mask)

        _, vjp = jax.vjp(gates, params, carry, gx, gh)
        *d, d_gh = vjp((d_carry, d_y))
        d, d_gh, operands = _through_products(cell, turned, (params, carry, gx), gh, d, d_gh)
        d_params_t, d_carry, d_gx = d
        # Parameters that the gates do not read get constant zeros here; XLA drops those additions.
        d_params = jax.tree.map(jnp.add, d_params, d_params_t)
        return (restart(d_carry, reset), d_params), (d_gx, d_gh, operands)

    zeros = varying(jax.tree.map(jnp.zeros_like, params), like=params)
    each = (carries, gx, gh, mask, resets, d_ys)
    state, (d_gx, d_gh, operands) = _scan(body, (d_last, zeros), each, not reverse)
    d_carry, d_params = state
    pairs = [(carries.h, d_gh)] if cell.operand is None else zip(operands, d_gh, strict=True)
    d_matrices = tuple(
        _weight_gradient(a, d, w.dtype) for w, (a, d) in zip(matrices, pairs, strict=True)
    )
    return d_params, d_matrices, d_gx, d_carry, None, None


def _through_products(cell, turned, given, zs, d, d_zs):
    """From the gradients of what the gates read of ``given``, (params, carry, gx), and of the products zs,
    back through the products: (the gradients of given, of zs, what the matrices multiply)."""
    if cell.operand is None:
        d_params, d_carry, d_gx = d
        d_carry = d_carry._replace(h=d_carry.h + product(d_zs, turned[0], d_zs.dtype))
        return (d_params, d_carry, d_gx), d_zs, ()
    d_zs, operands = list(d_zs), []
    for k in reversed(range(len(zs))):
        a, vjp = jax.vjp(partial(operand, cell), *given, zs[:k])
        *more, before = vjp(product(d_zs[k], turned[k], a.dtype))
        d = jax.tree.map(jnp.add, list(d), more)
        d_zs[:k] = map(jnp.add, d_zs[:k], before)
        operands.append(a)
    return d, tuple(d_zs), tuple(reversed(operands))


def _weight_gradient(operands, d, dtype):
    """sum_t a_t^T d_t of arrays (T, B, ·)."""
    a, half = operands.astype(dtype), d.astype(dtype)
    return jnp.einsum("tbh,tbg->hg", a, half, preferred_element_type=d.dtype).astype(dtype)


custom.defvjp(_forward, _backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _product(xs, w, dtype):
    """``product`` of xs (T, B, D) in mixed precision, whose gradients are such products too: JAX's own
    would be of float32."""
    return product(xs, w, dtype)


def _product_forward(xs, w, dtype):
    return product(xs, w, dtype), (xs, w)


def _product_backward(dtype, kept, d):
    xs, w = kept
    d = d.astype(w.dtype)
    d_w = jnp.einsum("tbd,tbg->dg", xs.astype(w.dtype), d, preferred_element_type=dtype)
    return product(d, w.T, dtype).astype(xs.dtype), d_w.astype(w.dtype)


_product.defvjp(_product_forward, _product_backward)

WAYS = (custom, _product), (plain, product)
