"""What is trained, as a file that every library can read: no JAX here, and nothing of a task."""

import json
from typing import Any, NamedTuple

import numpy as np


class Workload(NamedTuple):
    """sizes:  what the config says, by name: "kind" ("text", "windows" or "series"), "model", "optimizer",
              "batch", "window", "members" (models trained side by side), "steps" (of the schedule), ...
    params: the first parameters by name, such as "layer_0.w_x"; of several members (members, ...) each
    data:   of text "tokens" (members, N) and "batch" (members, B, T + 1), whose first T are inputs and
            last T targets; of windows the same (the last is the target), and "order" (epochs, steps, B),
            where those of each step begin, -1 for none; of series "windows" (n, T, D) and "targets" (n,),
            the first of them the batch
    """

    sizes: dict[str, Any]
    params: dict[str, np.ndarray]
    data: dict[str, np.ndarray]

    def arrays(self) -> dict[str, np.ndarray]:
        """As ``numpy.savez`` takes it."""
        named = {f"params.{name}": array for name, array in self.params.items()}
        named |= {f"data.{name}": array for name, array in self.data.items()}
        return named | {"sizes": np.array(json.dumps(self.sizes))}

    def member(self, i: int) -> dict[str, np.ndarray]:
        """The parameters of one member."""
        return {name: array[i] for name, array in self.params.items()}

    def parameters(self) -> int:
        """The number of all parameters."""
        return sum(array.size for array in self.params.values())


def read(file: str) -> Workload:
    with np.load(file) as arrays:
        parts = {"params": {}, "data": {}}
        for name in arrays.files:
            part, _, rest = name.partition(".")
            if rest:
                parts[part][rest] = arrays[name]
        return Workload(json.loads(str(arrays["sizes"])), parts["params"], parts["data"])


def rate(optimizer: dict[str, Any], steps: int, step: int) -> float:
    """The learning rate as a share of the highest: linear warm-up, then constant or a cosine."""
    warm = min(optimizer["warmup_steps"], steps)
    if step < warm:
        return step / warm
    if optimizer["schedule"] != "cosine":
        return 1.0
    share = min(1.0, (step - warm) / max(1, steps - warm))
    low = optimizer["final_fraction"]
    return low + (1 - low) * 0.5 * (1 + float(np.cos(np.pi * share)))
