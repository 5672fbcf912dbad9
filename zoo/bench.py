"""Speed, side by side: what is compared runs in turns in one process, and medians are given.

python -m zoo.bench bank                                   models side by side as one program, and alone
python -m zoo.bench predict --run=runs/language_detector-world      languages of lines, beside others

bank      steps of --members language models (LSTM of --hidden units, --batch windows of 5 characters):
          as a bank, in both of its forms, and one after the other, each by a call of one compiled
          program. The texts are parts of the documentation that Python ships.
predict   lines a second of a run of language_detection and, where they are installed, of lingua and
          py3langid, restricted to its languages. The lines are --lines pieces of 50 characters of the
          run's own texts, as many of each language.

Other work on the machine slows all of them, but not alike: ratios are to be trusted where it is quiet.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
from absl import flags

from zoo import cli, report
from zoo.errors import UserError
from zoo.runs import reference
from zoo.runs.load import load
from zoo.tasks.language_detection import config, evaluation, identifiers
from zoo.train import job as jobs
from zoo.train import step
from zoo.train.bank import member

_LEAST = {"rounds": 1, "members": 2, "hidden": 1, "batch": 1, "steps": 1, "lines": 1}


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_integer("rounds", 3, "turns of each, after one that is not timed", **define)
    flags.DEFINE_integer("members", 27, "bank: models", **define)
    flags.DEFINE_integer("hidden", 128, "bank: units", **define)
    flags.DEFINE_integer("batch", 128, "bank: windows a step", **define)
    flags.DEFINE_integer("steps", 20, "bank: steps a turn", **define)
    flags.DEFINE_string("run", None, "predict: folder of a finished run", **define)
    flags.DEFINE_integer("lines", 1080, "predict: lines, of 50 characters each", **define)
    flags.DEFINE_boolean("save", False, "put the result into runs/reference.json", **define)
    names = cli.parse(values, argv, __doc__, positional=True)
    if names is None:
        return 0
    if len(names) != 1 or names[0] not in BENCHES:
        raise UserError(f"give one of {', '.join(BENCHES)}, as in: python -m zoo.bench bank")
    for name, least in _LEAST.items():
        if values[name].value < least:
            raise UserError(f"--{name}={values[name].value}: must be at least {least}")
    turns, amount, unit = BENCHES[names[0]](values)
    seconds = in_turns(turns, values.rounds)
    entry = {
        "command": " ".join(["python", "-m", "zoo.bench", *argv[1:]]),
        "machine": reference.machine(),
        "versions": reference.versions(),
        "platform": jax.default_backend(),
        "amount": amount,
        "unit": unit,
        "seconds": [[name, [round(s, 4) for s in each]] for name, each in seconds.items()],
    }
    print(report.speeds({names[0]: entry}))
    if values.save:
        reference.put(f"zoo.bench {names[0]}", entry)
    return 0


def bank(values):
    """Models alone, and as a bank in both forms: turns of all members' steps."""
    with tempfile.TemporaryDirectory() as folder:
        job = _bank_job(values, Path(folder))
        turns = {"alone": _one_by_one(job)}
        turns |= {f"bank, {form}": _together(job, form) for form in ("map", "vmap")}
    turns = {name: partial(turn, values.steps) for name, turn in turns.items()}
    return turns, values.members * values.steps, "steps"


def predict(values):
    """A run's model and other identifiers: turns of all lines."""
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run of language_detection")
    _, params, task = load(Path(values.run), "language_detection")
    each = -(-values.lines // len(task.codes))
    lines = [s for text in task.parts["train"] for s in evaluation.cut([text], 50)[0][:each]]
    turns = {"this model": lambda: task.posterior(params, lines)}
    for name, score in identifiers.installed(task.codes).items():
        turns[name] = lambda score=score: score(lines)
    return turns, len(lines), "lines"


BENCHES = {"bank": bank, "predict": predict}


def in_turns(contestants: dict, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round of each contestant, one after the other, after a round that compiles."""
    seconds = {name: [] for name in contestants}
    for round_ in range(rounds + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if round_:
                seconds[name].append(time.perf_counter() - began)
            print(f"{name}: round {round_} of {rounds}", file=sys.stderr)
    return seconds


def _bank_job(values, folder):
    """Source 004's model, one a text; as many texts as members."""
    from pydoc_data.topics import topics

    whole = " ".join(topics[name] for name in sorted(topics))
    size = len(whole) // values.members
    for i in range(values.members):
        (folder / f"{i:03}.txt").write_text(whole[i * size : (i + 1) * size], encoding="utf-8")
    c = config.defaults()
    c.data.update({"path": str(folder), "window": 5})
    c.model.update({"embed": 0, "hidden": values.hidden})
    c.batch_size, c.steps, c.eval_every, c.best.metric = values.batch, values.steps, 1, ""
    c.optimizer.update({"name": "rmsprop", "learning_rate": 1e-2, "clip_norm": 0.0})
    return jobs.make(c)


def _together(job, form):
    """steps -> trains all members of a bank so far, in one call."""
    state = step.begin(job)
    steps = step.program(job, state, form)
    data, orders = job.task.data("train"), step.orders(job)(0)

    def turn(n):
        nonlocal state
        state = jax.block_until_ready(steps(state, data, orders, jnp.int32(n)))

    return turn


def _one_by_one(job):
    """steps -> trains as many models alone so far, each in a call of one program."""
    first = member(step.begin(job), 0)
    steps = step.program(job, first, "alone")
    states = [jax.tree.map(jnp.copy, first) for _ in range(job.task.members)]
    data = job.task.data("train")
    data = [jax.tree.map(lambda a, i=i: a[i : i + 1], data) for i in range(len(states))]
    orders = step.orders(job)(0)

    def turn(n):
        for i in range(len(states)):
            states[i] = jax.block_until_ready(steps(states[i], data[i], orders, jnp.int32(n)))

    return turn


if __name__ == "__main__":
    sys.exit(cli.run(main))
