"""Trains what a config describes.

    python train.py --config=configs/NAME.py[:VARIANT] [--config.key=value ...] [--run=FOLDER]

The same command goes on where it was stopped; a finished run says so.
"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import sys

from absl import flags

from zoo import cli, config, tasks
from zoo.errors import UserError
from zoo.runs import folder

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
    name, rest = _take_config(argv)
    if not name:
        if cli.parse(values, rest, __doc__) is None:
            return 0
        raise UserError("--config is missing: --config=configs/NAME.py[:VARIANT]")
    settings = config.load(name)
    config.override(settings, rest, values)
    if cli.parse(values, rest, __doc__) is None:
        return 0
    config.settle(settings, rest)
    run = folder.path(values.run or f"runs/{settings.name}{_suffix(settings, name)}")
    about = ""
    if values.mode == "eval":
        _same(settings, config.given(rest), folder.read_config(run))
    elif own := tasks.module(settings.task, "own"):
        begun = folder.begun(run / "seed-0" if values.seeds else run)
        about = own.settle(settings, config.given(rest), begun)
    from zoo.train import command

    return command.execute(settings, run, values.mode, values.seeds, about)


def _same(settings, given, begun):
    """Raises UserError where a key that is given is not as the run has it."""
    asked, trained = config.flatten(settings), config.flatten(begun)
    for key in sorted(given):
        if asked[key] != trained.get(key):
            raise UserError(
                f"--config.{key}={asked[key]}: --mode=eval evaluates a run as it was trained, with "
                f"{trained.get(key)}; leave it out, or train with it"
            )


def _take_config(argv):
    """The value of --config, in either way of writing a flag, and the other arguments."""
    name, rest, follows = "", [], False
    for arg in argv:
        if follows or (arg.lstrip("-").startswith("config=") and arg.startswith("-")):
            name, follows = arg if follows else arg.partition("=")[2], False
        elif arg in ("-config", "--config"):
            follows = True
        else:
            rest.append(arg)
    return name, rest


def _suffix(settings, name):
    return f"-{settings.variant}" if ":" in name else ""


if __name__ == "__main__":
    sys.exit(cli.run(main))
