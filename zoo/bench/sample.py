"""Writing text with an LSTM of 512 units, beside a plain loop in PyTorch.

python -m zoo.bench sample

Characters a second, of all samples together, after a prompt of 100 characters; the time to the first
character after that prompt, and "from cold" the first call of a process, which compiles, and writes as
many characters. The weights are random. The floor is the time that reading all weights takes, once a
character of the text, and the recurrent ones once a character of the prompt; or their operations,
whichever is longer, measured in the same run.
"""

import sys
from itertools import pairwise

from absl import flags

from zoo.bench import contest, rounds
from zoo.bench.contest import Contest
from zoo.bench.markdown import line, ratio, rows, share
from zoo.bench.samplers import EMBED, SAMPLERS, VOCAB
from zoo.errors import UserError

_PROMPT = 100
_LEAST = {"rounds": 1, "hidden": 1, "length": 2}


def caption(result: dict) -> str:
    """What stands above the table."""
    return (
        "Writing text with a language model, layers x units: how many times as long as ours each takes, "
        "and how near it comes to its floor"
    )


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    flags.DEFINE_integer("rounds", 7, "turns of each", **define)
    flags.DEFINE_integer("hidden", 512, "units a layer", **define)
    flags.DEFINE_integer("length", 500, "characters a sample", **define)
    flags.DEFINE_list("layers", ["1", "2"], "numbers of layers", **define)
    flags.DEFINE_list("batches", ["1", "64"], "numbers of samples at once", **define)
    flags.DEFINE_list("contestants", list(SAMPLERS), "the first is the measure", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    for name, least in _LEAST.items():
        if values[name].value < least:
            raise UserError(f"--{name}={values[name].value}: must be at least {least}")
    for name in ("layers", "batches"):
        if not all(v.isdecimal() and int(v) for v in values[name].value):
            raise UserError(
                f"--{name}={','.join(values[name].value)}: must be whole numbers above 0"
            )
    chosen = contest.choose(values.contestants, SAMPLERS)
    lacking = contest.absent(chosen)
    there = {name: c for name, c in chosen.items() if name not in lacking}
    records, failed = [], []
    for layers in map(int, values.layers):
        for batch in map(int, values.batches):
            sizes = {"hidden": values.hidden, "layers": layers, "batch": batch}
            sizes |= {"length": values.length, "prompt_length": _PROMPT}
            with Contest(there) as held:  # new processes: the first call of each is from cold
                records.append(_measure(held, sizes, values.rounds))
            failed += held.failed
    result = {
        "bench": "sample",
        "rounds": values.rounds,
        **contest.about(chosen, lacking, failed),
        "models": records,
    }
    return result, int(bool(failed))


def table(result: dict) -> str:
    """A row a model and contestant."""
    heads = ["model", "who", "characters a second", "times as long", "floor / its time"]
    heads += ["ms to the first", "s from cold"]
    lines, measure = rows(heads), result["contestants"][0][0]
    for record in result["models"]:
        model = f"{record['layers']} x {record['hidden']}, {record['batch']} at once"
        for name, title in result["contestants"]:
            if not (figures := record["text"].get(name)):
                continue
            seconds, first = figures["median"], record["first"].get(name)
            cells = [model, title, f"{record['batch'] * record['length'] / seconds:,.0f}"]
            cells.append(ratio(figures) if name != measure else "1")
            cells.append(share(record["floor"], seconds))
            cells.append(f"{1000 * first['median']:.3g}" if first else "–")
            cells.append(f"{record['cold'][name]:.2f}" if name in record["cold"] else "–")
            lines.append(line(cells))
    return "\n".join(lines)


def weights(hidden: int, layers: int) -> int:
    """Weights that a character is multiplied with."""
    sizes = [EMBED] + [hidden] * layers
    return sum(4 * h * (d + h) for d, h in pairwise(sizes)) + hidden * VOCAB


def _measure(held, sizes, turns):
    work = f"{sizes['layers']} x {sizes['hidden']}, {sizes['batch']} at once"
    print(work, file=sys.stderr)
    held.begin(work, sizes)
    cold = {}
    for name in list(held.alive):
        if answer := held.ask(name, "time", run="text", repeats=1):
            cold[name] = round(answer["seconds"], 4)
    record, floors = sizes | {"cold": cold}, [_floor(held, sizes)]
    for run in ("text", "first"):
        seconds = held.seconds(run, turns)
        first = seconds.get(next(iter(held.contestants)))
        record[run] = {name: rounds.summary(s, first) for name, s in seconds.items()}
        floors.append(_floor(held, sizes))  # again: other work on the machine slows it too
    record["floor"] = min((f for f in floors if f is not None), default=None)
    return record | {"load": held.load()}


def _floor(held, sizes):
    """Seconds that a text takes at least; None where it could not be measured.

    Of the prompt, which is one for all, the recurrent matrices alone: its inputs are known beforehand.
    """
    size, batch = weights(sizes["hidden"], sizes["layers"]), sizes["batch"]
    order = {"module": "zoo.bench.floor", "function": "measure", "options": {"size": 4 * size}}
    if "ours" not in held.alive or not (answer := held.ask("ours", "call", **order)):
        return None
    speeds = answer["value"]

    def seconds(size, batch):
        read, operations = 4 * size, 2 * size * batch
        return max(read / speeds["bytes_per_second"], operations / speeds["operations_per_second"])

    recurrent = 4 * sizes["hidden"] ** 2 * sizes["layers"]
    prompt = sizes["prompt_length"] * seconds(recurrent, 1)
    return float(f"{prompt + sizes['length'] * seconds(size, batch):.5g}")
