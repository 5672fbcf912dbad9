"""Ours: the job of a config and its compiled loop, as train.py runs them."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from zoo import config as configs
from zoo import random, tasks, xla
from zoo.bench.trainings.workload import Workload
from zoo.bench.worker import Run
from zoo.data.text.alphabet import START
from zoo.errors import UserError
from zoo.train import job as jobs
from zoo.train import mesh, step

# Characters and length of random text, where a corpus is not at hand: as in the corpus.
_STAND_IN = {
    "alice": (44, 144_000),
    "alice_chapters": (43, 144_000),
    "christmas_carol": (44, 158_000),
    "shakespeare": (65, 1_115_000),
}
_LANGUAGES = (40, 10_000)


def prepare(config, folder, epochs=0, most=0, precision="float32", devices=1):
    """``config`` as in char_lm:docs; ``folder`` is for random text, and ``devices`` of a CPU share a batch.

    Runs: "steps", training; "loss", of the first batch without dropout; "workload"; "epochs", of a text
    that is read in windows: the loss (epochs,) of each of the first epochs, or of the first ``most`` steps
    of each.
    """
    xla.divide_cpu(devices)
    job, data_is = make_job(config, Path(folder), precision, devices)
    work = _workload(job, data_is, epochs, most)
    state = step.begin(job)
    data, order = mesh.replicated(job.mesh, job.task.data("train")), step.orders(job)(0)
    program = step.program(job, state).lower(state, data, order, jnp.int32(1)).compile()

    def steps(n):
        nonlocal state
        before = int(state.step)
        state = jax.block_until_ready(program(state, data, order, jnp.int32(n)))
        if int(state.step) != before + n:
            raise RuntimeError(f"the loss is not finite after {int(state.step)} steps")

    return {
        "steps": Run(lambda: steps(1), many=steps),
        "loss": Run(lambda: _loss(job), lambda loss: {"loss": loss}),
        "epochs": Run(lambda: _epochs(job, program, data, epochs, most), lambda l: {"losses": l}),
        "workload": Run(work.arrays, lambda arrays: arrays),
    }


def make_job(name, folder, precision="float32", devices=1):
    """(the job of a config as in char_lm:docs, which data it reads): random text, written into ``folder``,
    where the corpus cannot be had."""
    file, _, variant = name.partition(":")
    config = configs.load(f"configs/{file}.py:{variant}")
    config.model.precision, config.mesh.data = precision, devices
    try:
        job = jobs.make(config)
        job.task.describe_data()
        return job, config.data.name
    except UserError:
        if config.task == "forecasting":
            raise
    config.data.path = _random_text(config, folder)
    job = jobs.make(config)
    job.task.describe_data()
    return job, "random text"


def _random_text(config, folder):
    rng = np.random.default_rng(0)
    letters = np.array([chr(ord("a") + i) if i else " " for i in range(100)])

    def text(symbols, length):
        return "".join(letters[rng.integers(0, symbols, length)])

    if config.task == "language_model":
        file = folder / f"{config.data.name}.txt"
        file.write_text(text(*_STAND_IN[config.data.name]), encoding="utf-8")
        return str(file)
    folder = folder / config.data.name
    folder.mkdir()
    for code in config.data.languages:
        (folder / f"{code}.txt").write_text(text(*_LANGUAGES), encoding="utf-8")
    config.data.languages = ()
    return str(folder)


def _loss(job):
    """(members,) mean loss of the first batch, by the first parameters, without dropout."""
    with job.config.unlocked():
        quiet = job.config.copy_and_resolve_references()
    for key in ("dropout", "dropout_in", "dropout_out", "weight_drop"):
        if key in quiet.model:
            quiet.model[key] = 0.0
    task = tasks.make(quiet)
    if quiet.task == "language_detection":
        task.alphabet, task.codes = job.task.alphabet, job.task.codes
    elif quiet.task == "language_model":
        task.vocabulary = job.task.vocabulary
    else:
        task = job.task
    params, losses = step.begin(job).params, []
    for i in range(max(1, task.members)):
        mine = jax.tree.map(lambda a, i=i: a[i], params) if task.members else params
        sums, _ = jax.jit(task.loss)(mine, task.carry(), _batch(job, i), random.key(0, "dropout"))
        losses.append(float(sums["loss"].total / sums["loss"].weight))
    return np.array(losses)


def _epochs(job, program, data, epochs, most):
    state, losses = step.begin(job), []
    for epoch in range(epochs):
        at = jnp.int32(epoch * job.plan.per_epoch)
        zeros = jax.tree.map(jnp.zeros_like, state.sums)
        state = state._replace(step=at, sums=zeros)
        order = step.orders(job)(int(at))
        state = program(state, data, order, jnp.int32(most or job.plan.per_epoch))
        losses.append(float(state.sums["loss"].total / state.sums["loss"].weight))
    return np.array(losses)


def _batch(job, member):
    task = job.task
    if job.config.task == "forecasting":
        order = jnp.arange(job.plan.per_epoch, dtype=jnp.int32)  # as the workload has them
    else:
        order = jax.tree.map(lambda a: a[0], step.orders(job)(0))
    return task.gather(task.data("train"), task.indices(order, 0, member))


def _workload(job, data_is, epochs, most):
    config, task = job.config, job.task
    params = step.begin(job).params
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    named = {jax.tree_util.keystr(at[1:], simple=True, separator="."): a for at, a in leaves}
    named = {name: np.asarray(a if task.members else a[None]) for name, a in named.items()}
    sizes = {
        "model": config.model.to_dict(),
        "optimizer": config.optimizer.to_dict(),
        "batch": config.batch_size,
        "steps": job.plan.steps,
        "tokens": task.tokens_per_step(),
        "members": max(1, task.members),
        "data": data_is,
    }
    make = {"forecasting": _series, "language_model": _text, "language_detection": _languages}
    more, data = make[config.task](job)
    sizes |= more
    if epochs:
        each = [job.task.order("train", epoch) for epoch in range(epochs)]
        order = np.stack(each).reshape(epochs, -1, config.batch_size)
        data["order"] = order[:, : most or None]  # the rows of each step; -1 for none
    return Workload(sizes | {"operations": _operations(sizes, named)}, named, data)


def _text(job):
    config, task = job.config, job.task
    sizes = {"vocab": task.vocabulary.size, "window": config.data.window}
    tokens = np.asarray(task.data("train"))[None]
    batch = np.asarray(_batch(job, 0)["tokens"])[None]
    if config.data.batches == "windows":
        sizes |= {"vocab": task.model.vocab, "targets": config.data.targets}
    kind = "windows" if config.data.batches == "windows" else "text"
    return sizes | {"kind": kind, "reading": config.data.batches}, {
        "tokens": tokens,
        "batch": batch,
    }


def _languages(job):
    config, task = job.config, job.task
    if config.model.shared or config.discriminative:
        raise UserError("only models of one language each are compared")
    sizes = {"vocab": task.alphabet.size, "window": config.data.window}
    tokens = np.asarray(task.data("train")["tokens"])
    batch = np.stack([np.asarray(_batch(job, i)["tokens"]) for i in range(task.members)])
    batch = np.pad(batch, [(0, 0), (0, 0), (1, 0)], constant_values=START)
    sizes |= {"kind": "text", "reading": "drawn", "start": START}
    return sizes, {"tokens": tokens, "batch": batch}


def _series(job):
    config, task = job.config, job.task
    m = config.model
    if (
        task.members
        or m.linear
        or m.embed
        or task.known
        or m.center != "none"
        or config.batch_size > 1
    ):
        raise UserError("only one model of plain layers and a batch of 1 is compared")
    data, n = task.data("train"), job.plan.per_epoch
    order = jnp.arange(n, dtype=jnp.int32)
    rows = [task.gather(data, task.indices(order, i, 0)) for i in range(n)]
    window = np.concatenate([np.asarray(row["window"]) for row in rows])
    windows = window[:, : -m.horizon].reshape(n, -1, m.patch)
    return {"kind": "series"}, {"windows": windows, "targets": window[:, -1]}


def _operations(sizes, params):
    """Floating-point operations of the products of a step: 6 a weight and token that meet."""
    of_tokens = [
        array[0].size * sizes["members"]
        for name, array in params.items()
        if array.ndim == 3 and name != "embedding"
    ]
    total = sum(of_tokens)
    if sizes["kind"] == "text" and not sizes["model"].get("embed", 1):
        total -= params["layer_0.w_x"].size  # a one-hot symbol times a matrix is a row of it
    times = sizes["tokens"] / sizes["members"]
    if "length" in sizes["model"]:
        times *= sizes["model"]["length"] / sizes["model"]["patch"]
    if sizes.get("targets") == "last":  # the softmax is of the last step alone
        total -= params["kernel"].size * (1 - 1 / sizes["window"])
    return 6.0 * total * times
