"""The time loop itself, and two gradients of it: one written by hand, and JAX's own.

JAX's own gradient of ``lax.scan`` adds each step's weight gradient into an array in the loop's
carry: it reads and writes all of W_h at every step. Here the forward loop keeps what the gates saw,
the backward loop yields d(gh) of every step, and dW_h is one product over all steps at once:

    dW_h = sum_t h_{t-1}^T d(gh)_t

It is derived from ``cell.gates`` by ``jax.vjp``, so a new cell needs no new gradient. The small
gradients of parameters inside ``gates`` (a recurrent bias, peepholes) accumulate in the loop; those
of W_x and b, outside it, are JAX's own. ``gradient="plain"`` differentiates the scan itself: slower, but
it has a forward mode (``jax.jvp``, ``jax.linearize``) and higher derivatives.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

_SHORT = 4


def varying(tree, like):
    """Inside ``shard_map``: the tree, varying over the mesh axes that any leaf of ``like`` varies over.

    The transpose of this cast is the sum over the mesh, so gradients of parameters come out summed.
    """
    axes = frozenset().union(*(jax.typeof(a).mat.varying for a in jax.tree.leaves(like)))

    def cast(a):
        missing = tuple(axes - jax.typeof(a).mat.varying)
        return lax.pcast(a, missing, to="varying") if missing else a

    return jax.tree.map(cast, tree)


def _restart(carry, reset):
    if reset is None:
        return carry
    return jax.tree.map(lambda a: jnp.where(_column(reset, a), jnp.zeros_like(a), a), carry)


def _gated(cell, params, carry, gx, gh, mask):
    """The gates of one step, and where mask (B,) is False the old carry and an output of zeros."""
    new, y = cell.gates(params, carry, gx, gh)
    if mask is None:
        return new, y
    new = jax.tree.map(lambda a, b: jnp.where(_column(mask, a), a, b), new, carry)
    return new, jnp.where(_column(mask, y), y, jnp.zeros_like(y))


def _column(flags, like):
    return flags.reshape(flags.shape + (1,) * (like.ndim - 1))


def _scan(body, carry, at, reverse):
    """lax.scan, with a few steps written out: XLA's loop costs more than what is in them."""
    short = len(jax.tree.leaves(at)[0]) <= _SHORT
    return lax.scan(body, carry, at, reverse=reverse, unroll=short)


def plain(cell, reverse, params, w_h, gx, carry, mask, resets):
    def body(carry, at):
        gx, mask, reset = at
        carry = _restart(carry, reset)
        return _gated(cell, params, carry, gx, carry.h @ w_h, mask)

    return _scan(body, carry, (gx, mask, resets), reverse)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def custom(cell, reverse, params, w_h, gx, carry, mask, resets):
    return plain(cell, reverse, params, w_h, gx, carry, mask, resets)


def _forward(cell, reverse, params, w_h, gx, carry, mask, resets):
    def body(carry, at):
        gx, mask, reset = at
        carry = _restart(carry, reset)
        gh = carry.h @ w_h
        new, y = _gated(cell, params, carry, gx, gh, mask)
        return new, (y, carry, gh)

    last, (ys, carries, gh) = _scan(body, carry, (gx, mask, resets), reverse)
    return (last, ys), (params, w_h, gx, gh, carries, mask, resets)


def _backward(cell, reverse, kept, cotangents):
    params, w_h, gx, gh, carries, mask, resets = kept
    d_last, d_ys = cotangents
    # Transposed once: left to itself, XLA transposes inside the loop on a CPU, at every step.
    w_h_t = lax.optimization_barrier(w_h.T)

    def body(state, at):
        d_carry, d_params = state
        carry, gx, gh, mask, reset, d_y = at

        def gates(params, carry, gx, gh):
            return _gated(cell, params, carry, gx, gh, mask)

        _, vjp = jax.vjp(gates, params, carry, gx, gh)
        d_params_t, d_carry, d_gx, d_gh = vjp((d_carry, d_y))
        d_carry = d_carry._replace(h=d_carry.h + d_gh @ w_h_t)
        # Parameters that the gates do not read get constant zeros here; XLA drops those additions.
        d_params = jax.tree.map(jnp.add, d_params, d_params_t)
        return (_restart(d_carry, reset), d_params), (d_gx, d_gh)

    zeros = varying(jax.tree.map(jnp.zeros_like, params), like=params)
    at = (carries, gx, gh, mask, resets, d_ys)
    (d_carry, d_params), (d_gx, d_gh) = _scan(body, (d_last, zeros), at, not reverse)
    d_w_h = jnp.einsum("tbh,tbg->hg", carries.h, d_gh)
    return d_params, d_w_h, d_gx, d_carry, None, None


custom.defvjp(_forward, _backward)
