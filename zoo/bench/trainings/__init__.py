"""The whole training step of a config by each of those that are compared, a file a library.

``ours`` runs the config as train.py does, and writes down what others need for the same work: the sizes,
the data, the first parameters, the first batch (``workload``).
"""

from zoo.bench.contest import Contestant


def _of(title, module, *packages, env=None):
    return Contestant(title, f"zoo.bench.trainings.{module}", packages, {}, env or {})


TRAININGS = {
    "ours": _of("ours", "ours"),
    "torch": _of("PyTorch", "pytorch", "torch"),
    "keras-jax": _of("Keras on JAX", "keras_fit", "keras", env={"KERAS_BACKEND": "jax"}),
}
# Of windows alone: its steps of a time loop are calls of Python, and what is short takes a while.
KERAS_ON_TORCH = {
    "keras-torch": _of(
        "Keras on PyTorch", "keras_fit", "keras", "torch", env={"KERAS_BACKEND": "torch"}
    )
}
