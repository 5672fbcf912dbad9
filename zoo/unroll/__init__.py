"""The time loop over any cell: masks, resets, directions, stacks, and a gradient written by hand.

    loop        unroll: one cell over time
    arguments   what unroll is given, checked
    layout      which of the two loops is the faster one
    rows        the loop with one sequence a row, and two gradients: by hand and JAX's own
    columns     the loop with one sequence a column, and its gradient by hand
    segments    a loop that keeps little, for long sequences
    steps       what the loops are made of
    reverse     forward mode, refused with a hint
    explicit    meshes with explicit axes
    automatic   meshes with automatic axes
    layers      both directions, layers upon layers, locked dropout

Arrays are time-major: xs (T, B, D), ys (T, B, H), lengths (B,), resets (T, B).
"""

from zoo import xla
from zoo.unroll.automatic import batch_over
from zoo.unroll.layers import bidirectional, locked_dropout, stack
from zoo.unroll.loop import unroll

__all__ = ["batch_over", "bidirectional", "locked_dropout", "stack", "unroll"]

xla.warn()
