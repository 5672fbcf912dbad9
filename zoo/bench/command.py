"""Speed, side by side: what is compared runs in turns, and medians are given.

python -m zoo.bench core        one LSTM layer, beside PyTorch, Flax, Keras, Haiku and Equinox
python -m zoo.bench step        the training step of configs, beside PyTorch and Keras
python -m zoo.bench windows     source 002's model, step by step and epoch by epoch, beside the same two
python -m zoo.bench sample      writing text, beside PyTorch
python -m zoo.bench score       scoring text, beside writing it
python -m zoo.bench bank        models side by side as one program, and alone
python -m zoo.bench predict     answers for texts, beside other programs
python -m zoo.bench softmax     the softmax of a large vocabulary: memory and time
python -m zoo.bench large       texts larger than memory: memory and time

python -m zoo.bench NAME --help says what each compares. Other work on the machine slows all of them, but
not alike: ratios are to be trusted where it is quiet.
"""

import importlib
import json
from pathlib import Path

from absl import flags

from zoo import bounds, cli, report
from zoo.data.files import write_bytes
from zoo.errors import UserError
from zoo.runs import reference

BENCHES = ("core", "step", "windows", "sample", "score", "bank", "predict", "softmax", "large")


def main(argv):
    name = argv[1] if len(argv) > 1 else ""
    if name not in BENCHES:
        if cli.parse(flags.FlagValues(), argv, __doc__, positional=True) is None:
            return 0
        raise UserError(f"give one of {', '.join(BENCHES)}, as in: python -m zoo.bench core")
    bench = importlib.import_module(f"zoo.bench.{name}")
    values = flags.FlagValues()
    bench.define(values)
    flags.DEFINE_string("out", None, "JSON file to write", flag_values=values)
    flags.DEFINE_boolean(
        "save", False, "put the result into runs/reference.json", flag_values=values
    )
    if cli.parse(values, [argv[0], *argv[2:]], bench.__doc__) is None:
        return 0
    for flag in values:
        if isinstance(values[flag].value, int):
            bounds.flag(values, flag, -bounds.COUNT)  # what else it may be the bench says
    for flag in ("out", "plot"):  # before the minutes that it takes, not after
        if flag in values and values[flag].value and not Path(values[flag].value).parent.is_dir():
            raise UserError(f"--{flag}={values[flag].value}: there is no such folder")
    result, code = bench.main(values)
    entry = {
        "command": " ".join(["python", "-m", "zoo.bench", *argv[1:]]),
        "machine": reference.machine(),
        **result,
        "versions": reference.versions() | result.get("versions", {}),
    }
    if values.out:
        write_bytes(values.out, (json.dumps(entry, indent=1) + "\n").encode())
    label = f"zoo.bench {name}{result.get('part', '')}"
    if values.save:
        reference.put(label, _without_rounds(entry))
    print(report.speeds({label: entry}))
    return code


def _without_rounds(entry):
    """The entry without the seconds of each round where their median stands beside them."""
    if isinstance(entry, list):
        return [_without_rounds(part) for part in entry]
    if not isinstance(entry, dict):
        return entry
    kept = {k: v for k, v in entry.items() if k != "seconds" or "median" not in entry}
    return {key: _without_rounds(value) for key, value in kept.items()}
