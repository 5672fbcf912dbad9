"""Averages of the parameters: the papers' sums over recorded iterates, the trigger, and what uses them."""

import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from languages import builder

import train
from zoo import cli
from zoo import config as configs
from zoo.runs import load
from zoo.runs.state import fingerprint
from zoo.tasks.protocol import Evaluation
from zoo.train import averaging, best, command, loop, mesh, step
from zoo.train import job as jobs

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat ", "on ", "a ", "mat.\n"], 400)
    file.write_text("".join(words), encoding="utf-8")
    return file


@pytest.fixture
def make(text):
    """(key=value of ``optimizer`` ...) -> a config of a model of a few units, averaged, without a best."""

    def build(**keys):
        c = configs.load(str(ROOT / "configs/char_lm.py"))
        c.data.path, c.batch_size, c.data.window = str(text), 4, 8
        c.steps, c.epochs, c.eval_every, c.eval_epochs, c.log_every = 30, None, 5, None, 5
        c.model.update({"hidden": 4, "embed": 3, "dropout_out": 0.1})
        c.optimizer.update({"learning_rate": 1e-2, "warmup_steps": 2, "ema_decay": 0.8, **keys})
        c.mesh.data, c.best.metric = 1, ""
        return c

    return build


def watched(config, mode="min"):
    config.best.update({"metric": "valid_loss", "mode": mode})
    return config


def stepped(job, n, values=(), every=1, form=""):
    """States after each of n steps, on the host; after every so many the tracked metric is the next of
    ``values``."""
    state, values, states = step.begin(job), iter(values), []
    steps = step.program(job, state, form)
    data, orders = mesh.replicated(job.mesh, job.task.data("train")), step.orders(job)(0)
    for i in range(1, n + 1):
        state = steps(state, data, orders, jnp.int32(1))
        states.append(jax.tree.map(np.array, state))
        if i % every == 0 and (value := next(values, None)) is not None:
            record = {"valid_loss": np.mean(value), "valid_loss_each": value}
            state = best.judge(state, record, job.config)
    return states


def assert_trees(got, want, **tolerance):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or {"rtol": 1e-5, "atol": 1e-6}))


def mean(trees, weights=None):
    return jax.tree.map(lambda *a: np.average(np.float64(a), axis=0, weights=weights), *trees)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_an_ema_is_the_weighted_mean_of_all_iterates(make, name):
    states = stepped(jobs.make(make(average="ema", name=name)), 8)
    for t in range(8):
        weights = [0.8 ** (t - i) for i in range(t + 1)]
        want = mean([s.params for s in states[: t + 1]], weights)
        assert_trees(states[t].opt_state.params, want)


def test_asgd_is_the_last_iterate_and_from_its_trigger_on_the_mean_of_all(make):
    config = watched(make(average="asgd", average_patience=1))
    states = stepped(jobs.make(config), 12, [3.0, 2.0, 4.0], every=2)
    for state in states[:6]:
        assert_trees(state.opt_state.params, state.params, rtol=0)
    for end in range(6, 12):  # the trigger is at step 6, the sixth iterate
        assert_trees(states[end].opt_state.params, mean([s.params for s in states[5 : end + 1]]))


def trigger(values, n, mode):
    """The evaluation at which Algorithm 1 of Merity et al. sets T, None for never: they wrote it as
    ``len(logs) > n and value > min(logs[:-n])``."""
    logs = []
    for t, value in enumerate(v if mode == "min" else -v for v in values):
        if len(logs) > n and value > min(logs[:-n]):
            return t
        logs.append(value)
    return None


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_trigger_is_that_of_the_paper_with_ties_and_in_either_mode(make, n, mode):
    config = watched(make(average="asgd", average_patience=n), mode)
    rng, seen = np.random.default_rng(n), set()
    for falls in [0, 1] * 20:
        sign = 1 if mode == "min" else -1
        values = sign * (rng.integers(0, 5, 14) - falls * np.arange(14))
        average, at = averaging.begin((), (), config), None
        for t, value in enumerate(np.float32(values)):
            average = averaging.watch(average, value, config)
            at = t if at is None and average.decay else at
            assert bool(average.decay) == (at is not None)  # once and for all
        assert at == trigger(values, n, mode)
        seen.add(at)
    assert None in seen and len(seen) > 2


def test_an_average_begins_anew_where_a_phase_does(make):
    config = watched(make(average="asgd", average_patience=1))
    for kind in ("ema", "asgd"):
        config.optimizer.average = kind
        job = jobs.make(config)
        job.task.phases = lambda: (1,)
        job = job._replace(plan=job.plan._replace(per_epoch=5, span=4))
        states = stepped(job, 9, [1.0, 2.0, 3.0, 9.0, 0.0, 0.0, 1.0, 1.0])
        assert_trees(states[5].opt_state.params, states[5].params, rtol=0)
        if (
            kind == "asgd"
        ):  # triggered at steps 3 and 8, by other values than those before the phase
            assert [float(s.opt_state.weight) for s in states] == [1, 1, 1, 2, 3, 1, 1, 1, 2]
        else:
            weights = [0.8**3, 0.8**2, 0.8, 1]
            assert_trees(states[8].opt_state.params, mean([s.params for s in states[5:]], weights))


@pytest.mark.parametrize("form", ["map", "vmap"])
def test_each_member_of_a_bank_has_a_trigger_of_its_own(tmp_path, form):
    keys = {"optimizer__average": "asgd", "optimizer__average_patience": 1, "steps": 9}
    best_ = {"metric": "valid_loss", "mode": "min"}
    job = jobs.make(builder(tmp_path)(best=best_, **keys).config)
    values = np.array([[1, 3, 3], [2, 2, 2], [3, 1, 4], [3, 5, 4]], np.float32)
    states = stepped(job, 9, values, every=2, form=form)
    for member, at in enumerate((6, 8, 6)):  # worse than the first, than the second, than the first
        part = [
            jax.tree.map(lambda a, m=member: a[m], (s.params, s.opt_state.params)) for s in states
        ]
        assert_trees(part[at - 1][1], part[at - 1][0], rtol=0)
        assert_trees(part[8][1], mean([params for params, _ in part[at - 1 :]]))


@pytest.mark.parametrize(("kind", "restarts"), [("ema", [12]), ("asgd", [12, 15, 18])])
def test_a_run_goes_on_from_any_checkpoint_to_the_same_average(make, tmp_path, kind, restarts):
    # Upwards a falling loss is a worse one, so the trigger comes as soon as it can: at step 15.
    config = watched(make(average=kind, average_patience=1), "max")
    config.checkpoint_every, config.keep = 3, 20
    once = loop.fit(jobs.make(config), tmp_path / "whole").record
    assert once["average_sha256"] not in (once["params_sha256"], once["best_sha256"])
    for at in restarts:  # before, at and after the trigger
        run = tmp_path / f"from-{at}"
        shutil.copytree(tmp_path / "whole", run)
        (run / "result.json").unlink()
        for folder in (run / "checkpoints").glob("[0-9]*"):
            if int(folder.name) > at:
                shutil.rmtree(folder)
        again = loop.fit(jobs.make(config), run).record
        for key in ("params_sha256", "best_sha256", "average_sha256", "metrics"):
            assert again[key] == once[key], (at, key)


def test_without_a_best_metric_a_run_is_used_with_its_average(make, tmp_path, monkeypatch):
    run, seen = tmp_path / "run", []
    job = jobs.make(make(average="ema"))

    def sample(params, metrics):
        seen.append(fingerprint(params))
        return "", ""

    monkeypatch.setattr(job.task, "sample", sample)
    result = loop.fit(job, run)
    record = json.loads((run / "result.json").read_text())
    assert record["best_sha256"] is None
    assert seen[-1] == record["average_sha256"] == fingerprint(result.params)
    assert record["average_sha256"] != record["params_sha256"]
    assert fingerprint(load.load(run).params) == record["average_sha256"]
    again = command.evaluate(run)
    assert again == {key: record["metrics"][key] for key in again}
    assert again["valid_loss"] == pytest.approx(logged(run)[30], abs=1e-6)


def logged(run):
    """step -> valid_loss."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["valid_loss"] for line in lines if "valid_loss" in line}


def test_the_best_is_the_best_of_the_averages(make, tmp_path, monkeypatch):
    job, seen = jobs.make(watched(make(average="ema"))), []

    def evaluate(params, split):
        seen.append((split, fingerprint(params)))
        return Evaluation({f"{split}_loss": 2.0 if len(seen) == 3 else 3.0}, {})

    monkeypatch.setattr(job.task, "evaluate", evaluate)
    monkeypatch.setattr(job.task, "artifacts", lambda *_: None)
    result = loop.fit(job, tmp_path / "run")
    assert result.record["metrics"]["best_step"] == 15
    assert fingerprint(result.params) == result.record["best_sha256"] == seen[2][1]
    assert seen[6] == seen[5] == ("valid", result.record["average_sha256"])  # valid_loss_last
    assert fingerprint(load.load(tmp_path / "run").params) == result.record["best_sha256"]


def test_no_average_leaves_no_trace_in_state_and_result(make, tmp_path):
    record = loop.fit(jobs.make(make()), tmp_path / "run").record
    assert "average_sha256" not in record
    job = jobs.make(make())
    state = step.begin(job)
    assert jax.tree.structure(state.opt_state) == jax.tree.structure(
        job.optimizer.init(state.params)
    )


def test_no_two_arrays_of_the_first_state_share_a_buffer(make):
    state = step.begin(jobs.make(watched(make(average="asgd"))))  # all of them are donated
    places = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state) if x.size > 1]
    assert len(set(places)) == len(places)


def test_any_mesh_gives_the_same_average(make):
    config = make(average="ema")
    want = stepped(jobs.make(config), 6)[-1].opt_state.params
    config.mesh.update({"data": 2, "model": 2})
    got = stepped(jobs.make(config), 6)[-1].opt_state.params
    assert_trees(got, want, rtol=2e-4, atol=2e-5)


def test_check_compiles_an_average_and_trains_nothing(make):
    config = watched(make(average="asgd", schedule="plateau"))
    params = jax.eval_shape(jobs.make(config).task.init, jax.random.key(0))
    assert command.check(config)["parameters"] == sum(x.size for x in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["average=asgd"], "optimizer.average=asgd: needs --config.best.metric to watch"),
        (["average=emma"], "optimizer.average=emma: did you mean 'ema'?"),
        (["ema_decay=1.5"], "optimizer.ema_decay=1.5: must be from 0 to 1"),
        (["average_patience=0"], "optimizer.average_patience=0: must be at least 1"),
    ],
)
def test_a_key_out_of_range_is_one_line(text, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(ROOT)
    argv = ["train.py", "--config=configs/char_lm.py", f"--config.data.path={text}"]
    argv += [f"--run={tmp_path / 'run'}", "--config.best.metric=", "--config.steps=4"]
    argv += [f"--config.optimizer.{flag}" for flag in flags]
    assert cli.run(train.main, argv) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not (tmp_path / "run").exists()
