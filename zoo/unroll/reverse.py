"""Arrays that have no forward-mode derivative, and an error that says what has one.

JAX's own error for ``jax.jvp`` of a hand-written gradient does not know that there is another way. So the
tangents go through an operation that reverse mode transposes away and that nothing can execute.
"""

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


def reverse_only(tree):
    """The tree. Raises TypeError where forward mode comes to it."""
    leaves, structure = jax.tree.flatten(tree)
    real = [i for i, a in enumerate(leaves) if jnp.issubdtype(a.dtype, jnp.floating)]
    for i, a in zip(real, _identity(*(leaves[i] for i in real)), strict=True):
        leaves[i] = a
    return structure.unflatten(leaves)


@jax.custom_jvp
def _identity(*arrays):
    return arrays


def _jvp(arrays, tangents):
    moved = [t for t in tangents if type(t) is not SymbolicZero]
    marked = iter(_tangents.bind(*moved))
    return arrays, tuple(t if type(t) is SymbolicZero else next(marked) for t in tangents)


def _refuse(*_, **__):
    raise TypeError(
        "the fast gradient of unroll has no forward mode (jax.jvp, jax.linearize, jax.jacfwd): "
        'call unroll(..., gradient="plain"), which has one'
    )


# One operation for all arrays, so that no constant zero among the tangents is executed by itself.
_tangents = Primitive("tangents_of_reverse_mode_only")
_tangents.multiple_results = True
_tangents.def_impl(_refuse)
_tangents.def_abstract_eval(lambda *avals: list(avals))
ad.deflinear2(_tangents, lambda cotangents, *_: cotangents)
batching.primitive_batchers[_tangents] = lambda args, dims: (_tangents.bind(*args), dims)
mlir.register_lowering(_tangents, _refuse)
_identity.defjvp(_jvp, symbolic_zeros=True)
