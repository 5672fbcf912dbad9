"""Which layout the time loop takes: one sequence a row, or one a column.

Forward + backward of an LSTM with as many inputs as units, 32 steps, float32, on 2 cores (x86-64 with
AVX2): how many times as fast columns are as rows.

    H \\ B      1      2      4      8     32    512
      4      0.96   1.01   0.96   0.95   1.20
     32      0.91   0.53   0.69   1.20   1.44   1.75
    128      0.79   0.44   0.79   0.92   1.70
    512      0.64   0.59   0.82   1.17   1.31

Of 3 steps: 0.5 to 1.0, whatever B and H, since the matrices are turned once a call. Other platforms than
CPUs were not measured; they keep rows, whose inputs are projected for all steps at once.
"""

import jax

LAYOUTS = ("rows", "columns")


def fastest(T: int, B: int) -> str:
    """The layout for T steps of B sequences on JAX's default platform."""
    known = isinstance(T, int) and isinstance(B, int)  # not so in ``jax.export`` for any T and B
    return "columns" if known and jax.default_backend() == "cpu" and T > 4 and B >= 8 else "rows"
