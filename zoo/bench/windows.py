"""Source 002's model of windows, beside the same in PyTorch and Keras: its training step, or its losses.

python -m zoo.bench windows                                the step, in turns
python -m zoo.bench windows --half                         the same in bfloat16 (mixed precision)
python -m zoo.bench windows --epochs=2                     the losses of two epochs, by us and by PyTorch
python -m zoo.bench windows --epochs=2 --most=100          the first 100 steps of each

The losses begin from equal weights and are of equal batches in an equal order; each has dropout of its
own. An epoch takes each some minutes. The step is measured as by ``python -m zoo.bench step``. "Two
devices" is ours with --config.mesh.data=2: each half of the batch has a core to itself.
"""

import tempfile
from pathlib import Path

import numpy as np
from absl import flags

from zoo.bench import contest, step, turns
from zoo.bench.contest import Contest
from zoo.bench.markdown import line, ratio, rows
from zoo.bench.trainings import IN_HALF, KERAS_ON_TORCH, TRAININGS, TWO, TWO_IN_HALF
from zoo.errors import UserError

_EPOCH = 1800  # seconds that an epoch may take
_TURN = 3.0  # seconds: Keras's fit needs a while to begin
_ALL, _ALL_IN_HALF = TWO | TRAININGS | KERAS_ON_TORCH, TWO_IN_HALF | TWO | IN_HALF
_WITH_LOSSES = ("ours", "torch")


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    flags.DEFINE_integer("rounds", 7, "turns of each", **define)
    flags.DEFINE_string("config", "window_lm:alice", "a config that reads windows", **define)
    step.define_contestants(values, _ALL, _ALL_IN_HALF)
    flags.DEFINE_integer(
        "epochs", 0, "epochs whose losses are compared; 0 measures the step", **define
    )
    flags.DEFINE_integer("most", 0, "steps of an epoch; 0 for all", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    turns.at_least(values, {"rounds": 1, "epochs": 0, "most": 0})
    if values.half and values.epochs:
        raise UserError("--half: not with --epochs")
    chosen = step.contestants(values, [values.config], _ALL, _ALL_IN_HALF, "config")
    if values.epochs:
        chosen = {name: c for name, c in chosen.items() if name in _WITH_LOSSES}
    lacking = contest.absent(chosen)
    there = {name: c for name, c in chosen.items() if name not in lacking}
    options = {"epochs": values.epochs, "most": values.most}
    patience = max(600, _EPOCH * values.epochs)
    with Contest(there, patience) as held, tempfile.TemporaryDirectory() as folder:
        rounds = 0 if values.epochs else values.rounds
        record = step.measure(held, values.config, Path(folder), rounds, _TURN, **options)
        losses = _losses(held, Path(folder)) if record and values.epochs else {}
    result = {
        "bench": "windows",
        "rounds": values.rounds,
        **options,
        **contest.about(chosen, lacking, held.failed),
        "config": record,
        "losses": losses,
        "part": f" --epochs={values.epochs}" if values.epochs else step.part(values),
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
    record = result["config"] or {"config": "window_lm", "data": "nothing"}
    if not result["epochs"]:
        half = ", in bfloat16 (mixed precision) and in float32" if result.get("part") else ""
        return f"A training step of `{record['config']}`{half}"
    part = f" (the first {result['most']} steps of each)" if result["most"] else ""
    return (
        f"`{record['config']}` on {record['data']}: the mean training loss of each epoch{part}, from equal "
        "weights with equal batches"
    )


def table(result: dict) -> str:
    """A row a contestant: its step, how many times as long as ours that is; or its losses and the
    difference from ours."""
    return _losses_table(result) if result["epochs"] else _steps_table(result)


def _steps_table(result):
    lines = rows(["who", "ms a step", "times the first"])
    steps = result["config"]["steps"] if result["config"] else {}
    for i, (name, title) in enumerate(result["contestants"]):
        if name in steps:
            beside = ratio(steps[name]) if i else "1"
            lines.append(line([title, f"{1000 * steps[name]['median']:.3g}", beside]))
    return "\n".join(lines)


def _losses_table(result):
    lines = rows(["who", *(f"epoch {i + 1}" for i in range(result["epochs"])), "most from ours"])
    losses = result["losses"]
    for name, title in result["contestants"]:
        if name in losses:
            off = np.abs(np.subtract(losses[name], losses["ours"])).max()
            lines.append(line([title, *(f"{x:.4f}" for x in losses[name]), f"{off:.4f}"]))
    return "\n".join(lines)
