"""A time loop that keeps little: the carries between segments of sqrt(T) steps.

What the gradient needs of the steps of a segment is computed again on the way back, one segment at a time
(Chen et al. 2016): memory for about 2 sqrt(T) steps instead of T, for one more pass forward.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax


def run(loop, reverse, params, xs, carry, mask, resets):
    """``loop`` (params, xs, carry, mask, resets) -> (carry, ys), segment by segment over T > 0 steps."""
    T = len(xs)
    size = math.isqrt(T)
    whole = T - T % size
    again = jax.checkpoint(loop)

    def segment(carry, each):
        xs, mask, resets = each
        return again(params, xs, carry, mask, resets)

    def cut(a):
        return a[:whole].reshape(whole // size, size, *a.shape[1:])

    def segments(carry):
        carry, ys = lax.scan(segment, carry, jax.tree.map(cut, each), reverse=reverse)
        return carry, jax.tree.map(lambda a: a.reshape(whole, *a.shape[2:]), ys)

    def remainder(carry):
        return segment(carry, jax.tree.map(lambda a: a[whole:], each))

    each = (xs, mask, resets)
    if whole == T:
        return segments(carry)
    if reverse:
        carry, end = remainder(carry)
        carry, ys = segments(carry)
    else:
        carry, ys = segments(carry)
        carry, end = remainder(carry)
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), ys, end)
