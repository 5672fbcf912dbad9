"""Trains what a config describes.

    python train.py --config=configs/NAME.py[:VARIANT] [--config.key=value ...] [--run=FOLDER]
    python train.py --from=RUN [--config.key=value ...] --run=FOLDER

The same command goes on where it was stopped; a finished run says so, and goes on when it is asked for more
steps. --from starts a new run with the settings and the parameters of another, such as on another text.
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
    flags.DEFINE_string("from", None, "a run to start from: its parameters and, without --config, its "
                        "settings", **define)  # fmt: skip
    name, rest = _take("config", argv)
    start, rest = _take("from", rest)
    if not name and not start:
        if cli.parse(values, rest, __doc__) is None:
            return 0
        raise UserError("--config is missing: --config=configs/NAME.py[:VARIANT]")
    settings = config.load(name) if name else _again(start)
    settings.start = start or settings.start
    config.override(settings, rest, values)
    if cli.parse(values, rest, __doc__) is None:
        return 0
    config.settle(settings, rest)
    if not name and not values.run:
        raise UserError("--run is missing: the folder of the new run")
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


def _again(run):
    """The settings of a run, for another one that starts from it."""
    settings = folder.read_config(folder.path(run))
    settings.about, settings.results = "", ()
    if "adapt" in settings:  # what it has is asked for, whatever the new text
        settings.adapt = False
    return settings


def _take(flag, argv):
    """The value of a flag, in either way of writing one, and the other arguments."""
    value, rest, follows = "", [], False
    for arg in argv:
        if follows or (arg.lstrip("-").startswith(f"{flag}=") and arg.startswith("-")):
            value, follows = arg if follows else arg.partition("=")[2], False
        elif arg in (f"-{flag}", f"--{flag}"):
            follows = True
        else:
            rest.append(arg)
    return value, rest


def _suffix(settings, name):
    return f"-{settings.variant}" if ":" in name else ""


if __name__ == "__main__":
    sys.exit(cli.run(main))
