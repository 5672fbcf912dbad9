"""The whole training step of a config by each of those that are compared, a file a library.

``ours`` runs the config as train.py does, and writes down what others need for the same work: the sizes,
the data, the first parameters, the first batch (``workload``).
"""

from zoo.bench.contest import Contestant


def _of(title, module, *packages, env=None, **options):
    return Contestant(title, f"zoo.bench.trainings.{module}", packages, options, env or {})


_ON_JAX, _HALF, _TWO = {"KERAS_BACKEND": "jax"}, {"precision": "bfloat16"}, {"devices": 2}
TRAININGS = {
    "ours": _of("ours", "ours"),
    "torch": _of("PyTorch", "pytorch", "torch"),
    "keras-jax": _of("Keras on JAX", "keras_fit", "keras", env=_ON_JAX),
}
# In mixed precision, beside all of them without it: some are slower with it.
IN_HALF = {
    "half": _of("ours, bfloat16", "ours", **_HALF),
    **TRAININGS,
    "torch-half": _of("PyTorch, bfloat16", "pytorch", "torch", **_HALF),
    "keras-half": _of("Keras on JAX, bfloat16", "keras_fit", "keras", env=_ON_JAX, **_HALF),
}
# Of windows alone: halves of a small batch gain nothing.
TWO = {"two": _of("ours, two devices", "ours", **_TWO)}
TWO_IN_HALF = {"two-half": _of("ours, bfloat16, two devices", "ours", **_HALF, **_TWO)}
# Of windows alone: its steps of a time loop are calls of Python, and what is short takes a while.
KERAS_ON_TORCH = {
    "keras-torch": _of(
        "Keras on PyTorch", "keras_fit", "keras", "torch", env={"KERAS_BACKEND": "torch"}
    )
}
