"""One LSTM layer by each of those that are compared, a file a library."""

from zoo.bench.contest import Contestant


def _of(title, module, *packages, env=None, **options):
    return Contestant(title, f"zoo.bench.contestants.{module}", packages, options, env or {})


LAYERS = {
    "ours": _of("ours", "ours"),
    "plain": _of("ours, plain gradient", "ours", gradient="plain"),
    "segments": _of("ours, saving memory", "ours", gradient="segments"),
    "half": _of("ours, bfloat16", "ours", precision="bfloat16"),
    "torch": _of("PyTorch", "pytorch", "torch"),
    "torch-half": _of("PyTorch, bfloat16", "pytorch", "torch", precision="bfloat16"),
    "linen": _of("Flax Linen", "flax_linen"),
    "nnx": _of("Flax NNX", "flax_nnx"),
    "keras-jax": _of("Keras on JAX", "keras_lstm", "keras", env={"KERAS_BACKEND": "jax"}),
    "keras-torch": _of(
        "Keras on PyTorch", "keras_lstm", "keras", "torch", env={"KERAS_BACKEND": "torch"}
    ),
    "haiku": _of("Haiku", "haiku_lstm", "haiku"),
    "equinox": _of("Equinox", "equinox_lstm", "equinox"),
}
