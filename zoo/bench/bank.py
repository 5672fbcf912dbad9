"""Models side by side as one program, and alone.

python -m zoo.bench bank
python -m zoo.bench bank --corpora=books --steps=5

Steps of --members language models (LSTM of --hidden units, --batch windows of 5 characters): as a bank, in
both of its forms, and one after the other, each by a call of one compiled program. The texts are parts of
the documentation that Python ships. With --corpora they are the generators of configs/corpora.py.
"""

import tempfile
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
from absl import flags

from zoo import config as configs
from zoo.bench import turns
from zoo.tasks.corpora import stages
from zoo.tasks.language_detection import config
from zoo.train import job as jobs
from zoo.train import step
from zoo.train.bank import member


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    turns.define_rounds(values)
    flags.DEFINE_integer("members", 27, "models", **define)
    flags.DEFINE_integer("hidden", 128, "units", **define)
    flags.DEFINE_integer("batch", 128, "windows a step", **define)
    flags.DEFINE_integer("steps", 20, "steps a turn", **define)
    flags.DEFINE_string(
        "corpora", None, "a variant of configs/corpora.py, for its generators", **define
    )


def main(values: flags.FlagValues) -> tuple[dict, int]:
    """Models alone, and as a bank in both forms: turns of all members' steps."""
    turns.at_least(values, {"rounds": 1, "members": 2, "hidden": 1, "batch": 1, "steps": 1})
    with tempfile.TemporaryDirectory() as folder:
        if values.corpora:
            job = _generators(values.corpora, Path(folder))
        else:
            job = _bank_job(values, Path(folder))
        each = {"alone": _one_by_one(job)}
        each |= {f"bank, {form}": _together(job, form) for form in ("map", "vmap")}
    each = {name: partial(turn, values.steps) for name, turn in each.items()}
    result = turns.entry(each, values.rounds, job.task.members * values.steps, "steps")
    part = {"part": f" --corpora={values.corpora}"} if values.corpora else {}
    return result | part, 0


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


def _generators(variant, folder):
    """The generators of a config of several corpora, from fresh parameters."""
    stage = stages.make("generators", configs.load(f"configs/corpora.py:{variant}"), folder)
    stage.start = ""
    return jobs.make(stage)


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
    data, orders = job.task.data("train"), step.orders(job)(0)
    if (
        job.config.task == "language_model"
    ):  # whose members differ by their order, others by their data
        each = [(data, orders[:, i : i + 1]) for i in range(len(states))]
    else:
        each = [
            (jax.tree.map(lambda a, i=i: a[i : i + 1], data), orders) for i in range(len(states))
        ]

    def turn(n):
        for i, given in enumerate(each):
            states[i] = jax.block_until_ready(steps(states[i], *given, jnp.int32(n)))

    return turn
