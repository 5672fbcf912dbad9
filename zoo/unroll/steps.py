"""What the time loops are made of: arrays read and written at a step, masks, restarts."""

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


def short(n) -> bool:
    """Whether n steps are written out: XLA's loop costs more than what is in them."""
    return isinstance(n, int) and n <= _SHORT


def at(tree, t):
    """Step t, not negative, of a pytree of (T, ...) arrays."""
    return jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, t, keepdims=False), tree)


def put(tree, values, t):
    """The pytree of (T, ...) arrays with step t replaced."""
    return jax.tree.map(
        lambda a, v: lax.dynamic_update_index_in_dim(a, v.astype(a.dtype), t, 0), tree, values
    )


def restart(carry, reset, column=False):
    """The carry, and zeros where reset (B,) is True; None for no resets."""
    if reset is None:
        return carry
    return jax.tree.map(lambda a: jnp.where(_along(reset, a, column), jnp.zeros_like(a), a), carry)


def selected(mask, new, y, carry, column=False):
    """(new carry, y), and where mask (B,) is False the old carry and an output of zeros."""
    if mask is None:
        return new, y
    new = jax.tree.map(lambda a, b: jnp.where(_along(mask, a, column), a, b), new, carry)
    return new, jax.tree.map(lambda a: jnp.where(_along(mask, a, column), a, jnp.zeros_like(a)), y)


def _along(flags, like, column):
    """flags (B,), shaped to stand beside an array whose batch is its first or its last axis."""
    ones = (1,) * (like.ndim - 1)
    return flags.reshape(ones + flags.shape if column else flags.shape + ones)
