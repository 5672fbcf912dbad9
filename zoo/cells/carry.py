"""A carry that somebody gives, held against the one that the cell would begin with."""

import jax
import jax.numpy as jnp


def carry_like(cell, params, carry, B):
    """The carry in the cell's own type, of arrays (B, ·); a plain tuple of them will do, such as (h, c).

    Raises ValueError that names the field, its shape and the right one.
    """
    want = jax.eval_shape(lambda params: cell.carry(params, B), params)
    if type(carry) in (tuple, list) and len(carry) == len(want):
        carry = type(want)(*carry)
    if jax.tree.structure(carry) != jax.tree.structure(want):
        raise ValueError(f"the carry must be {described(want)}; got {described(carry)}")
    try:
        carry = jax.tree.map(jnp.asarray, carry)
    except (TypeError, ValueError):
        raise ValueError(f"the carry must hold arrays; got {described(carry)}") from None
    for (path, a), w in zip(jax.tree.leaves_with_path(carry), jax.tree.leaves(want), strict=True):
        name = "carry" + jax.tree_util.keystr(path)
        if a.shape != w.shape:
            raise ValueError(
                f"{name} must be {w.shape}, the batch and the cell's units; got {a.shape}"
            )
        if w.dtype == want.h.dtype and a.dtype != carry.h.dtype:
            raise ValueError(
                f"the carry must be of one type; {name} is {a.dtype}, carry.h is {carry.h.dtype}"
            )
    return carry


def described(tree):
    """A carry in words: its type and the shapes in it."""
    if hasattr(tree, "shape"):
        return f"an array {tree.shape}"
    name = type(tree).__name__
    if hasattr(tree, "_fields"):
        parts = [f"{n} {getattr(a, 'shape', a)}" for n, a in tree._asdict().items()]
    elif isinstance(tree, tuple | list):
        parts = [str(getattr(a, "shape", type(a).__name__)) for a in tree]
    else:
        return f"a {name}"
    return f"{name}({', '.join(parts)})"
