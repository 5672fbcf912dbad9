"""Trains what a config describes.

    python train.py --config=configs/NAME.py[:VARIANT] [--config.key=value ...] [--run=FOLDER]

The same command goes on where it was stopped; a finished run says so.
"""

import sys
from pathlib import Path

from absl import flags

from zoo import cli, config
from zoo.errors import UserError

MODES = ("train", "eval", "check")


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string("run", None, "run folder; runs/NAME[-VARIANT] when left out", **define)
    flags.DEFINE_enum(
        "mode", "train", MODES, "train, eval (a run again), check (train nothing)", **define
    )
    flags.DEFINE_integer(
        "seeds", 0, "train this many seeds, in seed-0, seed-1, … of the run", **define
    )
    names = [a.partition("=")[2] for a in argv if a.lstrip("-").startswith("config=")]
    rest = [a for a in argv if not a.lstrip("-").startswith("config=")]
    if not names:
        if cli.parse(values, rest, __doc__) is None:
            return 0
        raise UserError("--config is missing: --config=configs/NAME.py[:VARIANT]")
    settings = config.load(names[-1])
    config.override(settings, rest, values)
    if cli.parse(values, rest, __doc__) is None:
        return 0
    config.settle(settings, rest)
    run = Path(values.run or f"runs/{settings.name}{_suffix(settings, names[-1])}")
    from zoo.train import command

    return command.execute(settings, run, values.mode, values.seeds)


def _suffix(settings, name):
    return f"-{settings.variant}" if ":" in name else ""


if __name__ == "__main__":
    sys.exit(cli.run(main))
