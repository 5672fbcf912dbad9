"""Source 002's model of windows, beside the same in PyTorch and Keras: its training step, and its losses.

python -m zoo.bench windows                           steps in turns; then two epochs by us and by PyTorch
python -m zoo.bench windows --epochs=0                steps alone: a few minutes
python -m zoo.bench windows --epochs=2 --most=100     the first 100 steps of each of two epochs

The epochs are from equal weights, with equal batches in an equal order, each with dropout of its own. They
take a quarter of an hour each. The step is as ``python -m zoo.bench step`` measures it. Keras runs on JAX.
"""

import tempfile
from pathlib import Path

import numpy as np
from absl import flags

from zoo.bench import contest, step, turns
from zoo.bench.contest import Contest
from zoo.bench.markdown import line, ratio, rows
from zoo.bench.trainings import TRAININGS

_TURN = 3.0  # seconds: Keras's fit needs a while to begin
_WITH_LOSSES = ("ours", "torch")


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    flags.DEFINE_integer("rounds", 7, "turns of each", **define)
    flags.DEFINE_string("config", "window_lm:alice", "a variant of configs/window_lm.py", **define)
    flags.DEFINE_list("contestants", list(TRAININGS), "the first is ours", **define)
    flags.DEFINE_integer("epochs", 2, "epochs whose losses are compared; 0 for none", **define)
    flags.DEFINE_integer("most", 0, "steps of an epoch; 0 for all", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    turns.at_least(values, {"rounds": 1, "epochs": 0, "most": 0})
    chosen = step.contestants(values.contestants, [values.config])
    lacking = contest.absent(chosen)
    there = {name: c for name, c in chosen.items() if name not in lacking}
    options = {"epochs": values.epochs, "most": values.most}
    with Contest(there) as held, tempfile.TemporaryDirectory() as folder:
        record = step.measure(held, values.config, Path(folder), values.rounds, _TURN, **options)
        losses = _losses(held, Path(folder)) if record and values.epochs else {}
    result = {
        "bench": "windows",
        "rounds": values.rounds,
        **options,
        **contest.about(chosen, lacking, held.failed),
        "config": record,
        "losses": losses,
    }
    return result, int(bool(held.failed))


def _losses(held, folder):
    """name -> the loss of each epoch, one contestant after the other."""
    losses = {}
    for name in _WITH_LOSSES:
        file = str(folder / "losses.npz")
        if name in held.alive and held.ask(name, "save", run="epochs", file=file) is not None:
            with np.load(file) as arrays:
                losses[name] = [float(f"{x:.6g}") for x in arrays["losses"]]
    return losses


def caption(result: dict) -> str:
    """What stands above the table."""
    part = f" (the first {result['most']} steps of each)" if result["most"] else ""
    record = result["config"] or {"config": "window_lm", "data": "none"}
    return (
        f"`{record['config']}` on {record['data']}: a training step, and the mean loss of each epoch from "
        f"equal weights with equal batches{part}"
    )


def table(result: dict) -> str:
    """A row a contestant: milliseconds a step, how many times as long as ours, the loss of each epoch."""
    epochs = [f"loss of epoch {i + 1}" for i in range(result["epochs"])]
    lines = rows(["who", "ms a step", "times ours", *epochs])
    steps = result["config"]["steps"] if result["config"] else {}
    for name, title in result["contestants"]:
        if name not in steps:
            continue
        losses = result["losses"].get(name, [None] * len(epochs))
        beside = "1" if name == "ours" else ratio(steps[name])
        cells = [title, f"{1000 * steps[name]['median']:.3g}", beside]
        lines.append(line([*cells, *("–" if x is None else f"{x:.4f}" for x in losses)]))
    return "\n".join(lines)
