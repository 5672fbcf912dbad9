"""Makes tests/golden/torch.npz: outputs, states and gradients of PyTorch's recurrent layers.

    python tests/golden/make_golden.py

Needs PyTorch and NumPy. The file is committed, so the tests themselves need no PyTorch. Keys are
CASE/NAME: `input` (T, B, D), `h_0` and `c_0`, the weights under PyTorch's own names and in its own
layout, `output`, `h_n` and `c_n`, the loss weights `loss.output`, `loss.h_n` and `loss.c_n`, and
`grad.NAME` of everything that the loss

    sum(loss.output * output) + sum(loss.h_n * h_n) + sum(loss.c_n * c_n)

depends on. `bidirectional` is packed: its sequences have the `lengths` (B,).
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SIZES = 7, 3, 4, 5  # T, B, D, H
LENGTHS = 4, 7, 2

CASES = {
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
    "rnn": (torch.nn.RNN, {}),
    "bidirectional": (torch.nn.LSTM, {"bidirectional": True}),
    "stack": (torch.nn.LSTM, {"num_layers": 2}),
}


def case(name, sizes, lengths=None):
    """One case's arrays by name, as this file's docstring lists them; packed where lengths (B,)."""
    module, options = CASES[name]
    T, B, D, H = sizes
    net = module(D, H, **options)
    states = ("h", "c") if module is torch.nn.LSTM else ("h",)
    depth = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    x = torch.randn(T, B, D, requires_grad=True)
    initial = {f"{s}_0": torch.randn(depth, B, H, requires_grad=True) for s in states}

    carry = tuple(initial.values()) if len(states) == 2 else initial["h_0"]
    if lengths is None:
        ys, last = net(x, carry)
    else:
        packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        ys, last = net(packed, carry)
        ys, _ = pad_packed_sequence(ys, total_length=T)
    last = last if len(states) == 2 else (last,)

    results = {"output": ys, **{f"{s}_n": a for s, a in zip(states, last, strict=True)}}
    weights = {f"loss.{name}": torch.randn(a.shape) for name, a in results.items()}
    sum((weights[f"loss.{name}"] * a).sum() for name, a in results.items()).backward()

    inputs = {"input": x, **initial, **dict(net.named_parameters())}
    grads = {f"grad.{name}": a.grad for name, a in inputs.items()}
    arrays = {
        name: a.detach().numpy() for name, a in {**inputs, **results, **weights, **grads}.items()
    }
    return arrays if lengths is None else {**arrays, "lengths": np.array(lengths, np.int32)}


def main():
    torch.manual_seed(0)
    cases = {
        name: case(name, SIZES, LENGTHS if name == "bidirectional" else None) for name in CASES
    }
    arrays = {f"{name}/{key}": a for name, of in cases.items() for key, a in of.items()}
    np.savez_compressed(Path(__file__).with_name("torch.npz"), **arrays)


if __name__ == "__main__":
    main()
