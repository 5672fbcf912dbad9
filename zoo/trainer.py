"""Trains what a config describes.

    python train.py --config=configs/NAME.py[:VARIANT] [--config.key=value ...] [--run=FOLDER]
    python train.py --from=RUN [--config.key=value ...] --run=FOLDER

The same command goes on where it was stopped; a finished run says so, and goes on when it is asked for
more steps. --from starts a new run with the settings and the parameters of another, on another text.
With --config=FILE.py, --help lists the keys of that config.
"""

from absl import flags

from zoo import bounds, cli, config, key_table, tasks, xla
from zoo.errors import UserError, nearest
from zoo.runs import folder, seeds
from zoo.terminal import line

MODES = ("train", "eval", "check")


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string("run", None, "run folder; runs/NAME[-VARIANT] when left out", **define)
    flags.DEFINE_enum(
        "mode", "train", MODES, "train, eval (a run again), check (train nothing)", **define
    )
    flags.DEFINE_integer(
        "seeds", None, "train this many seeds, from 0 on, in seed-0, seed-1, … of the run", **define
    )
    flags.DEFINE_integer(
        "jobs", 1, "of --seeds so many at a time, each on cores of its own", **define
    )
    flags.DEFINE_boolean(
        "overwrite",
        False,
        "start the run anew: what training has written there is deleted",
        **define,
    )
    flags.DEFINE_boolean(
        "distributed",
        False,
        "one of several processes that train together, on one machine or on several",
        **define,
    )
    where = "with --distributed, where no cluster tells"
    flags.DEFINE_string("coordinator", None, f"HOST:PORT of process 0, {where}", **define)
    flags.DEFINE_integer("processes", None, f"how many there are, {where}", **define)
    flags.DEFINE_integer("process", None, f"which this is, from 0 on, {where}", **define)
    flags.DEFINE_string("from", None, "a run to start from: its parameters and, without --config, its "
                        "settings", **define)  # fmt: skip
    name, rest = _take("config", argv)
    start, rest = _take("from", rest)
    if any(word in ("-h", "-help", "--help") for word in rest):
        about = key_table.table(config.load(name)) if name else "keys: add --config=configs/NAME.py"
        cli.parse(values, rest, __doc__)
        print(f"\n{about}")
        return 0
    if not name and not start:
        raise UserError("--config is missing: --config=configs/NAME.py[:VARIANT]")
    start = start and str(seeds.chosen(folder.path(start), "from"))
    settings = config.load(name) if name else _again(start)
    settings.start = start or settings.start
    if name:
        _tell_strange_keys(settings, name)
    _tell_keys(settings, rest, values)
    rest = config.override(settings, rest, values)
    cli.parse(values, rest, __doc__)
    config.settle(settings, rest)
    _check(values, settings)
    if not name and not values.run:
        raise UserError("--run is missing: the folder of the new run")
    run = folder.path(values.run or f"runs/{settings.name}{_suffix(settings, name)}")
    try:
        line.show("starting")  # the imports that follow take seconds
        return _execute(settings, run, config.given(rest), values, argv[1:])
    finally:
        line.clear()


def _execute(settings, run, given, values, words):
    about, count = "", values.seeds or 0
    if values.mode == "eval":
        for each in seeds.runs(run) or [run]:
            _same(settings, given, folder.read_config(each))
    elif own := tasks.module(settings.task, "own"):
        begun = None if values.overwrite else folder.begun(run / "seed-0" if count else run)
        about = own.settle(settings, given, begun)
    if not values.distributed:
        xla.divide_cpu(settings.mesh.data * settings.mesh.model)
    from zoo.train import command, hosts, side_by_side

    if values.distributed:
        hosts.join(values.coordinator, values.processes, values.process)
    if values.jobs > 1:
        side_by_side.check(values.jobs)
        command.prepare(settings, run if values.overwrite else None)
        if code := side_by_side.train(_of_one(words), run, count, min(values.jobs, count)):
            return code
    anew = values.overwrite and values.jobs == 1
    return command.execute(settings, run, values.mode, count, about, anew)


def _of_one(words):
    """The arguments of one of several seeds, but for its own."""
    for flag in ("seeds", "jobs", "run"):
        _, words = _take(flag, words)
    return [word for word in words if word.lstrip("-").partition("=")[0] != "overwrite"]


def _check(values, settings):
    """Raises UserError for flags that are out of range or do not go together."""
    bounds.flag(values, "seeds", 1, 1000)
    bounds.flag(values, "jobs", 1, 1000)
    if values.jobs > 1 and (not values.seeds or values.mode != "train"):
        raise UserError(
            f"--jobs={values.jobs}: trains seeds side by side; give --seeds, and no --mode"
        )
    if values.distributed:
        _check_distributed(values, settings)
    elif given := [
        n for n in ("coordinator", "processes", "process") if values[n].value is not None
    ]:
        raise UserError(f"--{given[0]}={values[given[0]].value}: goes with --distributed")
    if values.run == "":
        raise UserError("--run is empty: give a folder, such as runs/mine, or leave it out")
    if values.overwrite and values.mode != "train":
        raise UserError(f"--overwrite: not with --mode={values.mode}, which starts no run")
    if values.seeds and settings.seed and values.mode != "eval":
        raise UserError(
            f"--config.seed={settings.seed}: --seeds={values.seeds} trains the seeds from 0 on; leave one "
            "of them out"
        )


def _check_distributed(values, settings):
    """Raises UserError for what processes cannot do together, and for numbers out of range."""
    if values.seeds or values.mode != "train":
        given = f"--seeds={values.seeds}" if values.seeds else f"--mode={values.mode}"
        raise UserError(f"{given}: not with --distributed, which trains one run")
    if tasks.module(settings.task, "stages"):
        raise UserError(f"--distributed: not of the task {settings.task!r}, whose runs have stages")
    three = [values[name].value for name in ("coordinator", "processes", "process")]
    if any(v is not None for v in three) and None in three:
        raise UserError(
            "--distributed: give --coordinator, --processes and --process, or none of them"
        )
    bounds.flag(values, "processes", 1, 100_000)
    bounds.flag(values, "process", 0, (values.processes or 1) - 1)


def _tell_strange_keys(settings, name):
    """Raises UserError for a key that a config file sets and no training reads."""
    known = config.flatten(tasks.defaults_of(config.choose(settings, "task", tasks.names())))
    for key in config.flatten(settings):
        if key not in known:
            hint = f"; did you mean {near}?" if (near := nearest(key, known)) else ""
            raise UserError(
                f"--config={name}: sets {key}, which is no key of the task {settings.task}{hint}"
            )


def _tell_keys(settings, words, values):
    """Raises UserError for a key of the config that is written as a flag."""
    known = config.flatten(settings)
    for word in words[1:]:
        name, is_given, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name in values or not name:
            continue
        keys = [key for key in known if f".{key}".endswith(f".{name}")]
        if keys:
            said = f"--config.{min(keys, key=len)}{is_given}{value}"
            raise UserError(f"--{name}: no such flag; did you mean {said}?")


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
