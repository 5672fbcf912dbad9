"""What all contestants in JAX share: the two programs that are timed."""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.bench import problem
from zoo.bench.worker import Run


def runs(shape, weights, layer, gradients, *, batch_major=False):
    """{"forward": Run, "both": Run} of a layer.

    weights:   Problem -> the layer's own parameters
    layer:     (parameters, xs) -> ys, with the batch first where ``batch_major``
    gradients: those of the parameters -> {"w_x", "w_h", "b"}, as the problem has them
    """
    p = problem.make(problem.Shape(*shape))

    def turned(a):
        return a.swapaxes(0, 1) if batch_major else a

    params, xs, gs = weights(p), jnp.asarray(turned(p.xs)), jnp.asarray(turned(p.gs))

    def loss(params, xs, gs):
        return jnp.sum(layer(params, xs) * gs)

    forward = jax.jit(layer).lower(params, xs).compile()
    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(params, xs, gs).compile()

    def both_arrays(out):
        _, (grads, d_xs) = out
        named = gradients(grads) | {"xs": turned(d_xs)}
        return {name: np.asarray(a) for name, a in named.items()}

    def temporary(program):
        analysis = program.memory_analysis()
        return analysis and analysis.temp_size_in_bytes

    return {
        "forward": Run(
            lambda: jax.block_until_ready(forward(params, xs)),
            lambda ys: {"ys": np.asarray(turned(ys))},
            lambda: temporary(forward),
        ),
        "both": Run(
            lambda: jax.block_until_ready(both(params, xs, gs)),
            both_arrays,
            lambda: temporary(both),
        ),
    }
