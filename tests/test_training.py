"""The loop's promises: the same bits, through kills, signals, damage, and on any number of devices."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo import canary, random, xla
from zoo import config as configs
from zoo.errors import UserError
from zoo.runs import folder, load, log
from zoo.runs.checkpoint import Checkpoints
from zoo.runs.state import fingerprint
from zoo.train import command, finish, loop, optimizers, step
from zoo.train import job as jobs

ROOT = Path(__file__).parent.parent
TINY = [
    "--config.model.hidden=8",
    "--config.model.embed=4",
    "--config.model.dropout_out=0.1",
    "--config.batch_size=4",
    "--config.data.window=8",
    "--config.steps=30",
    "--config.eval_every=10",
    "--config.log_every=5",
    "--config.optimizer.warmup_steps=2",
    "--config.mesh.data=1",
]


def tiny(text):
    c = configs.load(str(ROOT / "configs/char_lm.py"))
    c.data.path = str(text)
    c.batch_size, c.data.window = 4, 8
    c.steps, c.epochs, c.eval_every, c.eval_epochs, c.log_every = 30, None, 10, None, 5
    c.model.update({"hidden": 8, "embed": 4, "dropout_out": 0.1})
    c.optimizer.update({"learning_rate": 1e-2, "warmup_steps": 2})
    c.mesh.data = 1
    return c


@pytest.fixture
def config(text):
    return tiny(text)


def fit(config, run):
    return loop.fit(jobs.make(config), run)


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory):
    """(folder, Result) of a run of the config above, which nobody changes."""
    run = tmp_path_factory.mktemp("finished") / "run"
    return run, fit(tiny(text), run)


@pytest.fixture
def done(finished, tmp_path):
    """The record of that run, a copy of which is in tmp_path / "run"."""
    shutil.copytree(finished[0], tmp_path / "run")
    return finished[1].record


def train(text, run, *more):
    argv = [sys.executable, "train.py", "--config=configs/char_lm.py"]
    argv += [f"--config.data.path={text}", f"--run={run}", *TINY, *more]
    return subprocess.Popen(
        argv, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def result(run):
    return json.loads((run / "result.json").read_text())


def metrics(run):
    """metrics.jsonl without the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def long_run(text, tmp_path_factory):
    """An uninterrupted run of the command, long enough to be interrupted elsewhere."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    process = train(text, run, *LONG)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return run


LONG = ["--config.steps=6000", "--config.eval_every=500", "--config.log_every=250"]


def test_loss_falls_and_the_run_folder_is_complete(done, tmp_path):
    first, *_, last = metrics(tmp_path / "run")
    assert last["train_loss"] < first["train_loss"]
    assert [m["step"] for m in metrics(tmp_path / "run")] == [5, 10, 15, 20, 25, 30]
    assert done == result(tmp_path / "run")
    assert (done["canary"], done["xla_flags"]) == ("right", xla.in_force())
    assert {"valid_loss", "valid_bpc", "train_loss", "valid_loss_last"} <= set(done["metrics"])
    assert done["metrics"]["valid_bpc"] == pytest.approx(done["metrics"]["valid_loss"] / np.log(2))
    files = {p.name for p in (tmp_path / "run").iterdir()}
    assert {"config.json", "metrics.jsonl", "result.json", "checkpoints", "samples.txt"} <= files
    assert (tmp_path / "run/plots/loss.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "run/samples.txt").read_text().count("════ step") == 3


def test_wrong_numbers_are_told_and_recorded(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(canary, "verdict", lambda: "1 of 3 sums is wrong")
    assert fit(config, tmp_path / "run").record["canary"] == "1 of 3 sums is wrong"
    told = [line for line in capsys.readouterr().err.splitlines() if "wrong" in line]
    assert told == ["warning: this JAX computes wrong numbers: 1 of 3 sums is wrong"]


def test_same_seed_gives_the_same_bits_and_another_seed_does_not(config, done, tmp_path):
    one, two = done["params_sha256"], fit(config, tmp_path / "two").record["params_sha256"]
    config.seed = 1
    assert one == two != fit(config, tmp_path / "three").record["params_sha256"]


def test_killed_run_resumes_bit_for_bit(text, long_run, tmp_path):
    run = tmp_path / "killed"
    for kills in range(2):
        process = train(text, run, *LONG)
        wait_for(lambda: len(list(run.glob("checkpoints/[0-9]*"))) > kills, process)  # noqa: B023
        process.kill()
        process.communicate()
        assert not (run / "result.json").exists()
    process = train(text, run, *LONG)
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert "going on from step" in err
    for key in ("params_sha256", "best_sha256", "metrics", "steps"):
        assert result(run)[key] == result(long_run)[key]
    assert metrics(run) == metrics(long_run)
    assert (run / "samples.txt").read_text() == (long_run / "samples.txt").read_text()


def test_signal_saves_and_the_same_command_goes_on(text, long_run, tmp_path):
    """Other signals: test_interrupt.py."""
    run = tmp_path / "stopped"
    process = train(text, run, *LONG)
    wait_for(lambda: (run / "metrics.jsonl").exists() and metrics(run), process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 143, err
    assert "saved; the same command goes on from there" in err.splitlines()[-1]
    process = train(text, run, *LONG)
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert result(run)["params_sha256"] == result(long_run)["params_sha256"]
    assert metrics(run) == metrics(long_run)


def test_finished_run_says_so_and_does_nothing(text, long_run):
    before = (long_run / "result.json").read_bytes()
    process = train(text, long_run, *LONG)
    out, err = process.communicate()
    assert process.returncode == 0
    assert "is finished" in err
    assert "valid_loss" in out
    assert (long_run / "result.json").read_bytes() == before


# Orbax's threads complain on their own when a checkpoint's index is damaged.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_checkpoint_is_found_and_an_older_one_taken(config, done, tmp_path, capsys):
    (tmp_path / "run/result.json").unlink()
    newest = max(int(p.name) for p in (tmp_path / "run/checkpoints").glob("[0-9]*"))
    flip_bits(tmp_path / f"run/checkpoints/{newest}/state")
    got = fit(config, tmp_path / "run").record
    assert f"checkpoint {newest} cannot be read" in capsys.readouterr().err
    assert (tmp_path / f"run/damaged/checkpoint-{newest}").is_dir()  # training saved
    load.load(tmp_path / "run")
    assert "cannot be read" not in capsys.readouterr().err  # it was written again
    assert got["params_sha256"] == done["params_sha256"]
    assert got["metrics"] == done["metrics"]


@pytest.mark.usefixtures("done")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_training_saves_before_a_newer_checkpoint_that_cannot_be_read(config, tmp_path):
    flip_bits(tmp_path / "run/checkpoints/30/state")
    like = step.begin(jobs.make(config))
    with Checkpoints(tmp_path / "run/checkpoints") as checkpoints:
        state, seconds = checkpoints.newest(lambda at: checkpoints.restore(at, like), mend=True)
        assert int(state.step) == 20 and checkpoints.steps() == [30, 20]
        checkpoints.save(state._replace(step=jnp.int32(25)), seconds)
        assert checkpoints.steps() == [25, 20]
    assert (tmp_path / "run/damaged/checkpoint-30").is_dir()


def test_a_checkpoint_with_other_digests_is_set_aside_and_not_deleted(
    config, done, tmp_path, capsys
):
    run = tmp_path / "run"
    (run / "result.json").unlink()
    manifest = run / "checkpoints/30/manifest/metadata"
    content = json.loads(manifest.read_text())
    content["leaves"][".step"] = "0" * 64
    manifest.write_text(json.dumps(content))
    state = (run / "checkpoints/30/state/_METADATA").read_bytes()
    assert fit(config, run).record["params_sha256"] == done["params_sha256"]
    aside = run / "damaged/checkpoint-30"
    message = f"checkpoint 30 is damaged: .step does not match its sha256, set aside as {aside}"
    assert message in capsys.readouterr().err
    assert (aside / "state/_METADATA").read_bytes() == state


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), ValueError("[OS error 24]")])
def test_a_disk_that_cannot_be_read_for_now_costs_no_checkpoint(
    config, done, tmp_path, monkeypatch, error
):
    run = tmp_path / "run"
    (run / "result.json").unlink()
    before = {p: p.read_bytes() for p in (run / "checkpoints").rglob("*") if p.is_file()}

    def restore(*_, **__):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("orbax.checkpoint.CheckpointManager.restore", restore)
        with pytest.raises(UserError, match=r"checkpoint 30 cannot be read.*Too many open files"):
            fit(config, run)
    assert before == {p: p.read_bytes() for p in (run / "checkpoints").rglob("*") if p.is_file()}
    assert fit(config, run).record["params_sha256"] == done["params_sha256"]


@pytest.mark.usefixtures("done")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_checkpoint_damaged_is_an_error(config, tmp_path):
    for path in (tmp_path / "run/checkpoints").glob("[0-9]*"):
        shutil.rmtree(path / "state")
    with pytest.raises(UserError, match="no checkpoint there is whole"):
        fit(config, tmp_path / "run")


def flip_bits(folder):
    """One bit in every tenth of each file that holds array data."""
    for file in [p for p in folder.glob("**/d/*") if p.stat().st_size > 1000]:
        content = bytearray(file.read_bytes())
        for tenth in range(1, 10):
            content[len(content) * tenth // 10] ^= 1
        file.write_bytes(content)


@pytest.mark.usefixtures("done")
def test_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(config, tmp_path):
    (tmp_path / "run/result.json").unlink()
    good = Path(tmp_path / "run/checkpoints/30")
    before = {p.name: p.read_bytes() for p in good.rglob("*") if p.is_file()}

    class Broken(type(jobs.make(config).task)):
        def loss(self, params, carry, batch, key):
            sums, carry = super().loss(params, carry, batch, key)
            return {"loss": sums["loss"]._replace(total=sums["loss"].total * jnp.nan)}, carry

    config.steps = 40
    (tmp_path / "run/config.json").unlink()
    job = jobs.make(config)._replace(task=Broken(config))
    with pytest.raises(
        UserError, match=r"loss at step 31 is not finite.*good checkpoint is step 30"
    ):
        loop.fit(job, tmp_path / "run")
    assert before == {p.name: p.read_bytes() for p in good.rglob("*") if p.is_file()}


@pytest.mark.usefixtures("done")
def test_another_config_in_the_same_folder_is_an_error(config, tmp_path):
    config.model.hidden = 9
    with pytest.raises(UserError, match=r"began with model.hidden=8, now 9"):
        fit(config, tmp_path / "run")


def test_two_writers_in_one_folder_is_an_error(config, tmp_path):
    held = folder.open_folder(tmp_path / "run")
    with pytest.raises(UserError, match="another process is training"):
        fit(config, tmp_path / "run")
    held.close()


@pytest.mark.parametrize(("data", "model"), [(4, 1), (2, 2), (1, 4)])
def test_any_mesh_gives_the_same_parameters(config, finished, tmp_path, data, model):
    want = finished[1].params
    config.mesh.update({"data": data, "model": model})
    got = fit(config, tmp_path / "many").params
    assert len(jax.devices()) == 4
    for a, b in zip(jax.tree.leaves(want), jax.tree.leaves(got), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_dispatch_length_does_not_change_the_bits(config):
    job = jobs.make(config)
    by_one = step.begin(job)
    steps = step.program(job, by_one)
    data, order = jnp.asarray(job.task.data("train")), step.orders(job)(0)
    for _ in range(6):
        by_one = steps(by_one, data, order, jnp.int32(1))
    at_once = steps(step.begin(job), data, order, jnp.int32(6))
    assert fingerprint(by_one) == fingerprint(at_once)


def test_best_parameters_are_those_of_the_best_evaluation(config, tmp_path):
    config.optimizer.update({"learning_rate": 0.5, "schedule": "constant"})
    config.steps, config.patience = 200, 2
    record = fit(config, tmp_path / "run").record
    values = {m["step"]: m["valid_loss"] for m in metrics(tmp_path / "run") if "valid_loss" in m}
    best = min(values, key=values.get)
    assert record["metrics"]["best_step"] == best
    assert record["metrics"]["valid_loss"] == pytest.approx(values[best], abs=1e-7)
    assert record["best_sha256"] != record["params_sha256"]
    assert record["steps"] == best + 20 < 200  # stopped early, after two evaluations without gain


def test_plateau_lowers_the_learning_rate(config, tmp_path):
    config.optimizer.update({"learning_rate": 0.5, "schedule": "plateau", "plateau_patience": 1})
    config.steps, config.eval_every = 60, 4
    fit(config, tmp_path / "run")
    like = step.begin(jobs.make(config))
    with Checkpoints(tmp_path / "run/checkpoints") as checkpoints:
        state, _ = checkpoints.restore(60, like)
    values = [m["valid_loss"] for m in metrics(tmp_path / "run") if "valid_loss" in m]
    worse = sum(v >= min(values[:i]) for i, v in enumerate(values) if i)
    (rate,) = [
        x for p, x in jax.tree_util.tree_leaves_with_path(state.opt_state) if "learning" in str(p)
    ]
    assert worse > 0
    assert float(rate) == pytest.approx(0.5 * 0.5**worse)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_optimizers_by_name_go_downhill(config, name):
    config.optimizer.update(
        {"name": name, "learning_rate": 0.1, "warmup_steps": 0, "momentum": 0.5}
    )
    optimizer = optimizers.make(config, 100)
    params = {"w": jnp.ones((2, 2))}
    state = optimizer.init(params)
    for _ in range(20):
        updates, state = optimizer.update(jax.tree.map(lambda p: 2 * p, params), state, params)
        params = optax.apply_updates(params, updates)
    assert float(jnp.max(jnp.abs(params["w"]))) < 0.5


def test_schedules_warm_up_and_end_where_they_should(config):
    c = config.optimizer
    c.update(
        {"learning_rate": 1.0, "warmup_steps": 10, "schedule": "cosine", "final_fraction": 0.1}
    )
    rate = optimizers.schedule(c, 110)
    assert [float(rate(s)) for s in (0, 5, 10, 110)] == pytest.approx([0, 0.5, 1, 0.1])
    c.schedule = "constant"
    assert float(optimizers.schedule(c, 110)(100)) == 1


def test_a_schedule_begins_anew_where_a_phase_does_and_rates_differ_in_the_last(config):
    config.optimizer.update(
        {
            "name": "sgd",
            "learning_rate": 1.0,
            "schedule": "cosine",
            "clip_norm": 0.0,
            "warmup_steps": 0,
            "final_fraction": 0.0,
        }
    )
    factors = {"params.a.w": 1.0, "params.b": 0.25}
    optimizer = optimizers.make(config, 20, (10,), factors.get)
    params = {"params": {"a": {"w": jnp.ones(())}, "b": jnp.ones(())}}
    state, taken = optimizer.init(params), []
    for _ in range(20):
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
        taken.append([-float(updates["params"]["a"]["w"]), -float(updates["params"]["b"])])
    taken = np.array(taken)
    np.testing.assert_allclose(taken[:10, 0], taken[10:, 0], rtol=1e-6)
    np.testing.assert_allclose(
        taken[:10, 0], 0.5 + 0.5 * np.cos(np.pi * np.arange(10) / 10), rtol=1e-5
    )
    np.testing.assert_allclose(taken[:, 1] / taken[:, 0], [1.0] * 10 + [0.25] * 10, rtol=1e-6)


def test_seeds_are_runs_of_their_own_with_a_summary(config, tmp_path, capsys):
    config.steps, config.eval_every = 4, 4
    assert command.execute(config, tmp_path / "run", "train", 2) == 0
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    losses = [result(tmp_path / f"run/seed-{s}")["metrics"]["valid_loss"] for s in (0, 1)]
    assert losses[0] != losses[1]
    assert summary["valid_loss"]["mean"] == pytest.approx(np.mean(losses))
    assert summary["valid_loss"]["sd"] == pytest.approx(np.std(losses, ddof=1))


def test_eval_mode_gives_the_result_again_and_check_trains_nothing(config, done, tmp_path, capsys):
    again = command.evaluate(tmp_path / "run")
    assert again == {key: done["metrics"][key] for key in again}
    report = command.check(config)
    assert report["parameters"] == done["params"]
    assert report["steps"] == 30
    assert (report["canary"], report["xla_flags"]) == ("right", xla.in_force())
    assert os.listdir(tmp_path) == ["run"]


def test_every_mask_of_a_step_is_drawn_with_a_key_of_its_own(config, monkeypatch):
    config.model.update({"layers": 3, "dropout": 0.2, "dropout_in": 0.1, "weight_drop": 0.3})
    task = jobs.make(config).task
    keys, draw = [], random.keep

    def keep(key, *args):
        keys.append(tuple(jax.random.key_data(key).tolist()))
        return draw(key, *args)

    params, batch = task.init(jax.random.key(0)), {"tokens": jnp.zeros((4, 9), jnp.int32)}
    monkeypatch.setattr(random, "keep", keep)
    task.loss(params, task.carry(), batch | {"first": False}, jax.random.key(1))
    assert len(keys) == 3 + 1 + 2 + 1  # weight drop, input, between layers, output
    assert len(set(keys)) == len(keys)


def test_a_sample_that_looks_like_a_head_of_samples_txt_is_kept_whole(tmp_path):
    text = "one\n════ step 7, valid_loss 1.0 ════\ntwo ════\n════ step x\n"
    log.add_sample(tmp_path, 5, "valid_loss 2.0", text)
    log.add_sample(tmp_path, 10, "valid_loss 1.5", "════\nlast")
    assert log.last_sample(tmp_path).strip("\n") == "════\nlast"
    log.add_sample(tmp_path, 10, "valid_loss 1.5", "again")
    content = (tmp_path / "samples.txt").read_text()
    assert content.count("\n════ step 10, ") == 1 and "two ════\n" in content
    log.add_sample(tmp_path, 3, "after a restart", text)
    assert (tmp_path / "samples.txt").read_text().count("two ════") == 1


def test_a_record_is_on_disk_when_add_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    record = log.Log(tmp_path, 0)
    record.add({"step": 1})
    assert synced[-1] == len('{"step": 1}\n')


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_warm_up_under_a_plateau_is_that_of_a_constant_rate(config, name):
    """The updates of the first steps are the same, and so is the state, but for the rate in it."""
    config.optimizer.update({"name": name, "warmup_steps": 4, "clip_norm": 0.0})
    config.optimizer.weight_decay = 0.1
    updates = {}
    for schedule in ("constant", "plateau"):
        config.optimizer.schedule = schedule
        optimizer = optimizers.make(config, 100)
        params = {"w": jnp.arange(4.0).reshape(2, 2)}
        state, updates[schedule] = optimizer.init(params), []
        for i in range(6):
            update, state = optimizer.update({"w": params["w"] + i}, state, params)
            updates[schedule].append(update["w"])
    np.testing.assert_allclose(updates["constant"], updates["plateau"], rtol=1e-5, atol=1e-9)
    assert not np.asarray(updates["plateau"][0]).any()


@pytest.mark.parametrize(("mode", "value", "want"), [("min", 2.0, 3.0), ("max", 2.5, 2.0)])
def test_the_time_to_a_target_goes_either_way(config, mode, value, want):
    config.target.update({"metric": "valid_loss", "value": value, "mode": mode})
    records = [
        {"step": i, "seconds": float(i), "valid_loss": v} for i, v in ((1, 2.1), (2, 3.0), (3, 1.0))
    ]
    assert finish._seconds_to(config.target, [{"step": 0, "seconds": 0.0}, *records]) == want
    config.target.value = -9.0 if mode == "min" else 9.0
    assert finish._seconds_to(config.target, records) is None


def test_two_commands_at_once_lose_no_row_of_the_reference(tmp_path):
    code = "import sys; from zoo.runs import reference\nfor i in range(40): "
    code += "reference.put(f'{sys.argv[1]}:{i}', {'runs': []})"
    (tmp_path / "runs").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path, env=environment)
        for name in "ab"
    ]
    assert [p.wait() for p in both] == [0, 0]
    assert len(json.loads((tmp_path / "runs/reference.json").read_text())) == 80
