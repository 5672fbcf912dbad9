"""The time loop over any cell: masks, resets, directions, stacks, and a gradient written by hand.

    loop        unroll: one cell over time
    gradient    the two gradients that it has, by hand and JAX's own
    layers      both directions, layers upon layers, locked dropout

Arrays are time-major: xs (T, B, D), ys (T, B, H), lengths (B,), resets (T, B).
"""

from zoo import xla
from zoo.unroll.layers import bidirectional, locked_dropout, stack
from zoo.unroll.loop import unroll

__all__ = ["bidirectional", "locked_dropout", "stack", "unroll"]

xla.warn()
