"""One LSTM layer by each of those that are compared, a file a library."""

from importlib.util import find_spec
from typing import NamedTuple


class Contestant(NamedTuple):
    """title:    as tables name it
    module:   in this folder; its ``prepare(shape, **options)`` gives {"forward": Run, "both": Run}
    packages: what it needs installed
    options, env: of its ``prepare``, and of its process
    checkout: another folder of this project, whose code runs instead of this one's
    """

    title: str
    module: str
    packages: tuple[str, ...] = ()
    options: dict = {}  # noqa: RUF012
    env: dict = {}  # noqa: RUF012
    checkout: str | None = None

    def absent(self) -> str:
        """What is not installed of that which it needs; "" when nothing is missing."""
        return ", ".join(name for name in self.packages if find_spec(name) is None)


CONTESTANTS = {
    "ours": Contestant("ours", "ours"),
    "plain": Contestant("ours, plain gradient", "ours", options={"gradient": "plain"}),
    "segments": Contestant("ours, saving memory", "ours", options={"gradient": "segments"}),
    "torch": Contestant("PyTorch", "pytorch", ("torch",)),
    "linen": Contestant("Flax Linen", "flax_linen", ("flax",)),
    "nnx": Contestant("Flax NNX", "flax_nnx", ("flax",)),
    "keras-jax": Contestant("Keras on JAX", "keras_lstm", ("keras",), env={"KERAS_BACKEND": "jax"}),
    "keras-torch": Contestant(
        "Keras on PyTorch", "keras_lstm", ("keras", "torch"), env={"KERAS_BACKEND": "torch"}
    ),
    "haiku": Contestant("Haiku", "haiku_lstm", ("haiku",)),
    "equinox": Contestant("Equinox", "equinox_lstm", ("equinox",)),
}
