"""The whole training step of configs, as train.py runs it, beside the same model in PyTorch and Keras.

python -m zoo.bench step                                   six configs
python -m zoo.bench step --configs=char_lm:docs --contestants=ours,torch
python -m zoo.bench step --half                            in bfloat16 (mixed precision), ours and others'

A step is the model, its loss, the gradient, clipping and the optimizer; batches are cut from memory.
Before that, the number of parameters and the loss of the first batch, without dropout, must be the same.
Where a corpus cannot be had, all read random text of the same size; the column "data" says so. Dropout and
the state that is kept from batch to batch are the same in PyTorch. Keras on JAX keeps no state and cannot
drop recurrent weights; it does without.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from absl import flags

from zoo.bench import contest, rounds
from zoo.bench.contest import Contest
from zoo.bench.markdown import line, ratio, rows, share
from zoo.bench.trainings import IN_HALF, TRAININGS, workload
from zoo.errors import UserError

CONFIGS = (
    "char_lm:docs",
    "char_lm:alice",
    "char_lm:shakespeare",
    "airline:regression",
    "airline:stacked",
    "language_detector:source",
)
TOLERANCE = 1e-4  # of the loss of the first batch
TOLERANCE_HALF = 0.02  # the same in bfloat16
_TURN = 0.5  # seconds


def caption(result: dict) -> str:
    """What stands above the table."""
    half = " in bfloat16 (mixed precision)" if result.get("part") else ""
    return (
        f"A whole training step: our speed{half}, and how many times as long a step takes others (above 1: "
        "ours is faster)"
    )


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    flags.DEFINE_integer("rounds", 7, "turns of each", **define)
    flags.DEFINE_list("configs", list(CONFIGS), "NAME:VARIANT of files in configs/", **define)
    define_contestants(values, TRAININGS)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    if values.rounds < 1:
        raise UserError(f"--rounds={values.rounds}: must be at least 1")
    chosen = contestants(values, values.configs)
    lacking = contest.absent(chosen)
    there = {name: c for name, c in chosen.items() if name not in lacking}
    with Contest(there) as held, tempfile.TemporaryDirectory() as folder:
        records = [measure(held, name, Path(folder), values.rounds) for name in values.configs]
    result = {
        "bench": "step",
        "part": part(values),
        "rounds": values.rounds,
        **contest.about(chosen, lacking, held.failed),
        "configs": [record for record in records if record],
    }
    return result, int(bool(held.failed))


def define_contestants(
    values: flags.FlagValues,
    known: dict[str, contest.Contestant],
    in_half: dict[str, contest.Contestant] = IN_HALF,
) -> None:
    """--contestants and --half."""
    define = {"flag_values": values}
    among = ", ".join(known | in_half)
    flags.DEFINE_list("contestants", None, f"some of {among}; the first is the measure", **define)
    flags.DEFINE_bool("half", False, "bfloat16 (mixed precision) beside float32", **define)


def contestants(
    values: flags.FlagValues,
    configs: list[str],
    known: dict[str, contest.Contestant] = TRAININGS,
    in_half: dict[str, contest.Contestant] = IN_HALF,
    flag: str = "configs",
) -> dict[str, contest.Contestant]:
    """Those of the flags. Raises UserError for unknown ones, where ours is not among them or is not the
    measure, and for a config of the flag that is not there."""
    for name in configs:
        if not Path(f"configs/{name.partition(':')[0]}.py").is_file():
            raise UserError(f"--{flag}={name}: no such file in configs/")
    chosen = contest.choose(
        values.contestants or list(in_half if values.half else known), known | in_half
    )
    if "ours" not in chosen or not _is_ours(next(iter(chosen.values()))):
        raise UserError(
            "--contestants: ours must be among them, and the first be it or half or two: it says what the "
            "others do"
        )
    return chosen


def part(values: flags.FlagValues) -> str:
    """What the entry of a result is named after, beside the bench."""
    return " --half" if values.half else ""


def table(result: dict) -> str:
    """A row a config: our tokens a second and milliseconds a step, and what a step takes others."""
    titles = dict(result["contestants"])
    first, *others = titles
    floor = first == "ours"  # it is that of float32
    heads = ["config", "data", "tokens a second", "ms a step", *(titles[n] for n in others)]
    heads += ["floor / ours"] * floor
    lines = []
    for record in result["configs"]:
        ours = record["steps"].get(first)
        if not ours:
            continue
        seconds = ours["median"]
        cells = [f"`{record['config']}`", record["data"], f"{record['tokens'] / seconds:,.0f}"]
        cells += [f"{1000 * seconds:.3g}", *(ratio(record["steps"].get(n)) for n in others)]
        lines.append(line([*cells, *[share(record["floor"], seconds)] * floor]))
    return "\n".join([*rows(heads), *lines])


def measure(held, config, folder, turns, least=_TURN, **options):
    """Everything that is measured of one config, by turns of ``least`` seconds (no turns: the losses of the
    first batch alone); None where ours fails.
    ``options`` are those of ``zoo.bench.trainings.ours.prepare``."""
    print(config, file=sys.stderr)
    file, first = str(folder / f"{config.replace(':', '-')}.npz"), next(iter(held.contestants))
    ours = {"config": config, "folder": str(folder), **options}
    held.begin(config, ours, names=["ours"])
    if "ours" not in held.alive or held.ask("ours", "save", run="workload", file=file) is None:
        return None
    work = workload.read(file)
    for name, contestant in held.contestants.items():
        if name != "ours" and _is_ours(contestant):
            own = folder / f"{config.replace(':', '-')}-{name}"
            own.mkdir()
            held.begin(config, ours | {"folder": str(own)}, names=[name])
    held.begin(
        config, {"file": file}, names=[n for n, c in held.contestants.items() if not _is_ours(c)]
    )
    losses = _check(held, folder)
    if "ours" not in held.alive:
        return None
    order = {"module": "zoo.bench.floor", "function": "products", "options": {}}
    before = held.ask("ours", "call", **order)
    seconds = held.seconds("steps", turns, least) if turns else {}
    after = held.ask("ours", "call", **order) if "ours" in held.alive else None
    # Other work on the machine can only make it look slower than it is.
    fastest = max(before["value"], after["value"]) if before and after else None
    return {
        "config": config,
        "data": work.sizes["data"],
        "tokens": work.sizes["tokens"],
        "parameters": work.parameters(),
        "losses": losses,
        "floor": fastest and work.sizes["operations"] / fastest,
        "steps": {name: rounds.summary(s, seconds.get(first)) for name, s in seconds.items()},
        "load": held.load(),
    }


def _check(held, folder):
    """The loss of the first batch by each; who has another one than ours is out."""
    losses = {}
    for name in list(held.alive):
        file = str(folder / "loss.npz")
        if held.ask(name, "save", run="loss", file=file) is None:
            continue
        with np.load(file) as arrays:
            losses[name] = arrays["loss"]
        if "ours" not in losses:
            return {}
        off = np.abs(losses[name] / losses["ours"] - 1).max()
        half = contest.in_half(held.contestants[name])
        if not off <= (TOLERANCE_HALF if half else TOLERANCE):
            held.out(name, f"computes another loss: {losses[name]}, ours is {losses['ours']}")
    return {name: [float(f"{x:.6g}") for x in loss] for name, loss in losses.items()}


def _is_ours(contestant):
    return contestant.module.endswith(".ours")
