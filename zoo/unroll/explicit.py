"""Meshes with explicit axes: the time loop runs with XLA in charge of them.

With ``AxisType.Explicit``, JAX's default, the place of an array is a part of its type. A loop whose carry
begins as zeros, or a product over a sharded axis, is a type error then. Here the axes are automatic inside
the loop, and what comes out is placed as what went in.
"""

from functools import partial

import jax
from jax.sharding import AxisType, NamedSharding, auto_axes
from jax.sharding import PartitionSpec as P

from zoo.unroll import automatic


def run(loop, params, xs, carry, mask, resets):
    """``automatic.run`` of the loop, over a mesh with explicit axes, too.

    Over a mesh with explicit axes, the batch of ys and carries (T, B, ·) is placed as that of xs, and so is
    the last carry, unless one was given: then it comes back in the place of that one.
    """
    arguments = params, xs, carry, mask, resets
    mesh = _mesh(arguments)
    if mesh is None:
        return automatic.run(loop, *arguments)

    def place(*spec):
        return NamedSharding(mesh, P(*spec))

    _, batch, _ = _spec(xs)
    each = place(None, batch)
    last = place(batch) if carry is None else jax.tree.map(lambda a: place(*_spec(a)), carry)
    explicit = AxisType.Explicit
    axes = tuple(n for n, t in zip(mesh.axis_names, mesh.axis_types, strict=True) if t == explicit)
    over = auto_axes(partial(automatic.run, loop), axes=axes, out_sharding=(last, each, each))
    with automatic.batch_over(mesh, batch or ()):
        return over(*arguments)


def _mesh(tree):
    """The mesh with explicit axes that arrays of the tree are on, or None."""
    meshes = (jax.typeof(a).sharding.mesh for a in jax.tree.leaves(tree))
    return next((m for m in meshes if AxisType.Explicit in m.axis_types), None)


def _spec(a):
    """The mesh axes of each axis of an array."""
    spec = jax.typeof(a).sharding.spec
    return *spec, *[None] * (a.ndim - len(spec))
