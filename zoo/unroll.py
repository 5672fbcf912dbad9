"""The time loop over any cell: masks, resets, directions, stacks, and a gradient written by hand.

Arrays are time-major: xs (T, B, D), ys (T, B, H), lengths (B,), resets (T, B).

JAX's own gradient of ``lax.scan`` adds each step's weight gradient into an array in the loop's
carry: it reads and writes all of W_h at every step. Here the forward loop keeps what the gates saw,
the backward loop yields d(gh) of every step, and dW_h is one product over all steps at once:

    dW_h = sum_t h_{t-1}^T d(gh)_t

It is derived from ``cell.gates`` by ``jax.vjp``, so a new cell needs no new gradient. The small
gradients of parameters inside ``gates`` (a recurrent bias, peepholes) accumulate in the loop; those
of W_x and b, outside it, are JAX's own. ``gradient="plain"`` differentiates the scan itself: slower,
but it has a forward mode (``jax.jvp``, ``jax.linearize``) and higher derivatives.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from zoo.cells import Carry, Cell, Params

_SHORT = 4


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
) -> tuple[Carry, Array]:
    """Runs a cell over time: xs (T, B, D) -> (last carry, ys (T, B, H)).

    carry:    the state before the first step; the cell's zeros when None.
    lengths:  (B,) ints in [0, T]. A padded step keeps the carry and puts out zeros, so the carry that
              comes back is that of each sequence's own end; a length of 0 gives back the initial carry.
    resets:   (T, B) booleans; True zeroes the carry before that step is taken, in the order of taking.
    reverse:  from the last step to the first; with lengths, each sequence within its own length.
              ys stay aligned with xs, and the carry that comes back is the one after step 0.
    gradient: "custom" (reverse mode, fast) or "plain" (any mode, JAX's own gradient of the scan).

    Raises ValueError for arrays whose shapes do not fit together and for an unknown gradient.
    """
    T, B = _checked(xs, lengths, resets)
    if gradient not in ("custom", "plain"):
        raise ValueError(f"gradient must be 'custom' or 'plain'; got {gradient!r}")
    if carry is None:
        carry = cell.carry(params, B)
    mask = None if lengths is None else _mask(T, lengths)
    resets = None if resets is None else resets.astype(bool)
    if mask is not None and resets is not None:
        resets &= mask  # a padded step is never taken, so neither is its reset
    gx = cell.inputs(params, xs)
    params, carry = _varying((params, carry), like=(gx, carry, mask, resets))
    if cell.scan is not None:
        return cell.scan(params, gx, carry, mask, resets, reverse)
    loop = _custom if gradient == "custom" else _plain
    return loop(cell, reverse, params, cell.recurrent(params), gx, carry, mask, resets)


def bidirectional(
    cell: Cell,
    params: tuple[Params, Params],
    xs: Array,
    carry: tuple[Carry, Carry] | None = None,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    gradient: str = "custom",
) -> tuple[tuple[Carry, Carry], Array]:
    """Both directions, outputs side by side: xs (T, B, D) -> ((forward, backward), ys (T, B, 2H)).

    ``params`` and ``carry`` are pairs (forward, backward). ``resets`` mark the first step of a new
    sequence; the backward direction is reset on the other side of the same boundary.
    (Schuster & Paliwal 1997.)
    """
    _checked(xs, lengths, resets)
    forward, backward = (None, None) if carry is None else carry
    if lengths is not None and resets is not None:
        resets = resets.astype(bool) & _mask(len(xs), lengths)
    back = None if resets is None else jnp.roll(resets, -1, axis=0).at[-1].set(False)
    options = {"lengths": lengths, "gradient": gradient}
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
    keep = jax.random.bernoulli(key, 1 - rate, (1, *xs.shape[1:]))
    return xs * (keep.astype(xs.dtype) / (1 - rate))


def _checked(xs, lengths, resets):
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


def _mask(T, lengths):
    """(T, B), True where a step lies within its sequence; in any integer type, for strict promotion."""
    return lax.broadcasted_iota(jnp.int32, (T, len(lengths)), 0) < lengths.astype(jnp.int32)[None]


def _varying(tree, like):
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


def _plain(cell, reverse, params, w_h, gx, carry, mask, resets):
    def body(carry, at):
        gx, mask, reset = at
        carry = _restart(carry, reset)
        return _gated(cell, params, carry, gx, carry.h @ w_h, mask)

    return _scan(body, carry, (gx, mask, resets), reverse)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _custom(cell, reverse, params, w_h, gx, carry, mask, resets):
    return _plain(cell, reverse, params, w_h, gx, carry, mask, resets)


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

    zeros = _varying(jax.tree.map(jnp.zeros_like, params), like=params)
    at = (carries, gx, gh, mask, resets, d_ys)
    (d_carry, d_params), (d_gx, d_gh) = _scan(body, (d_last, zeros), at, not reverse)
    d_w_h = jnp.einsum("tbh,tbg->hg", carries.h, d_gh)
    return d_params, d_w_h, d_gx, d_carry, None, None


_custom.defvjp(_forward, _backward)
