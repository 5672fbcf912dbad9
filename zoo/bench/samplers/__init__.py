"""Writing text with a language model by each of those that are compared, a file a library."""

from zoo.bench.contest import Contestant

_PYTORCH = "zoo.bench.samplers.pytorch"
SAMPLERS = {
    "ours": Contestant("ours", "zoo.bench.samplers.ours"),
    "torch": Contestant("PyTorch, nn.LSTM", _PYTORCH, ("torch",)),
    "torch-cells": Contestant("PyTorch, nn.LSTMCell", _PYTORCH, ("torch",), {"cells": True}),
}

VOCAB, EMBED = 65, 64  # of tiny Shakespeare, and of the configs


def text(vocab: int) -> str:
    """The symbols, but for the unknown one."""
    return "\n" + "".join(chr(ord("A") + i) for i in range(vocab - 2))


def prompt(vocab: int, length: int) -> str:
    """A prompt of so many symbols."""
    symbols = text(vocab)
    return "".join(symbols[7 * i % len(symbols)] for i in range(length))
