"""Texts of one's own: settings that follow from them, a length that follows from the time there is."""

import json
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import train
from zoo import cli
from zoo import config as configs
from zoo.runs.state import TrainState
from zoo.tasks.language_model import mixture, own
from zoo.train import optimizers, timed
from zoo.train import plan as plans
from zoo.train.job import Job

ROOT = Path(__file__).parent.parent
TINY = ("model.hidden=6", "model.embed=4", "batch_size=4", "data.window=8", "minutes=0.02")


def char_lm(path, **data):
    c = configs.load(str(ROOT / "configs/char_lm.py"))
    c.data.update({"path": str(path), **data})
    return c


def command(text, run, *keys):
    argv = ["train.py", f"--config={ROOT / 'configs/char_lm.py'}", f"--config.data.path={text}"]
    return cli.run(train.main, [*argv, f"--run={run}", *(f"--config.{k}" for k in (*TINY, *keys))])


def test_settings_follow_from_the_text_and_those_given_stay(tmp_path):
    sizes = {}
    for size in (20_000, 300_000, 3_000_000):
        file = tmp_path / "text.txt"
        file.write_text("é" * size, encoding="utf-8")
        c = char_lm(file)
        said = own.settle(c, set())
        assert f"{size:,} characters: LSTM {c.model.hidden}" in said
        assert c.minutes == 3 and c.epochs and c.eval_epochs is None and c.mix
        sizes[size] = (c.model.hidden, c.model.dropout_out)
    assert sizes[20_000][0] > sizes[3_000_000][0] and sizes[20_000][1] > sizes[3_000_000][1]
    c = char_lm(file)
    c.steps, c.epochs, c.model.hidden = 70, None, 9
    said = own.settle(c, {"steps", "model.hidden"})
    assert (c.steps, c.epochs, c.model.hidden, c.minutes) == (70, None, 9, 0)
    assert "LSTM 9" in said and "70 steps" in said and "minutes;" not in said


def test_a_model_to_start_from_keeps_its_width(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("x" * 40_000)
    c = char_lm(file)
    c.start, before = "runs/other", c.model.hidden
    own.settle(c, {"start"})
    assert c.model.hidden == before and c.minutes == 3


def test_more_time_makes_a_wider_model(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("x" * 600_000)
    widths = []
    for minutes in (1, 3, 10, 1000):
        c = char_lm(file)
        c.minutes = minutes
        own.settle(c, {"minutes"})
        widths.append(c.model.hidden)
    assert widths == sorted(widths) and widths[0] < widths[-1] == 512


@pytest.mark.parametrize(
    "case", ["no text", "missing", "empty", "folder", "words", "other variant"]
)
def test_nothing_follows_where_there_is_no_text_of_ones_own(tmp_path, case):
    (tmp_path / "empty.txt").touch()
    paths = {"no text": "", "missing": tmp_path / "none", "empty": tmp_path / "empty.txt"}
    c = char_lm(paths.get(case, tmp_path))
    if case in ("words", "other variant"):
        (tmp_path / "text.txt").write_text("a text")
        c.data.path = str(tmp_path / "text.txt")
    c.data.symbols = "words" if case == "words" else c.data.symbols
    c.adapt = case != "other variant"
    before = c.to_json()
    assert own.settle(c, set()) == ""
    assert c.to_json() == before


def test_the_length_follows_from_the_speed_and_stays(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(timed, "_MEASURED", 5)
    monkeypatch.setattr(timed, "_FEWEST", 12)
    run = tmp_path / "run"
    assert command(text, run) == 0
    out, err = capsys.readouterr()
    result = json.loads((run / "result.json").read_text())
    steps = result["steps"]
    assert steps >= 12 and f"{steps:,} steps in 0.02 minutes" in err
    assert "characters: LSTM 6, dropout" in err
    assert "nats per character, valid part; less is better" in out
    assert "counting, by a Kneser-Ney model" in out and "of the latter" in out
    # The same steps, asked for: the same bits, and nothing is measured.
    assert command(text, tmp_path / "again", f"steps={steps}") == 0
    assert "steps a second: " not in capsys.readouterr().err
    again = json.loads((tmp_path / "again/result.json").read_text())
    assert again["params_sha256"] == result["params_sha256"]
    # From a checkpoint, on a machine that became fast.
    (run / "result.json").unlink()
    for at in sorted((run / "checkpoints").iterdir(), key=lambda p: int(p.name))[1:]:
        shutil.rmtree(at)
    monkeypatch.setattr(timed, "_FEWEST", 10_000)
    assert command(text, run) == 0
    assert "going on from step" in capsys.readouterr().err
    resumed = json.loads((run / "result.json").read_text())
    assert (resumed["steps"], resumed["params_sha256"]) == (steps, result["params_sha256"])
    # A run that has begun keeps its settings, also where the text would now say something else.
    monkeypatch.setattr(own, "_TABLE", ((float("inf"), 3, 3, 0.7, 0.7, 0.7),))
    assert command(text, run) == 0
    assert "is finished" in capsys.readouterr().err


def test_the_planned_rate_is_that_of_the_schedule():
    c = configs.load(str(ROOT / "configs/char_lm.py"))
    c.minutes, c.optimizer.clip_norm, c.optimizer.name = 1.0, 0.0, "sgd"
    c.optimizer.update({"warmup_steps": 4, "learning_rate": 0.5, "final_fraction": 0.1})
    optimizer, params = optimizers.make(c, 99), {"w": jnp.ones(2)}
    state = optimizers.plan(optimizer.init(params), 20)
    assert optimizers.planned(state) == 20
    wanted = optimizers.schedule(c.optimizer, 20)
    for step in range(25):
        updates, state = optimizer.update({"w": jnp.ones(2)}, state, params)
        np.testing.assert_allclose(-updates["w"], wanted(step), rtol=1e-5)
    assert isinstance(optimizer, optax.GradientTransformationExtraArgs)


def test_speed_time_and_bounds_make_the_number_of_steps():
    c = configs.load(str(ROOT / "configs/char_lm.py"))
    c.minutes, c.steps, c.epochs, c.eval_every, c.eval_epochs = 2.0, None, 100.0, None, None
    job = Job(c, None, optimizers.make(c, 99), None, plans.make(c, 50))
    assert job.plan.steps == 5000

    def planned(step, pace, seconds):
        opt_state = job.optimizer.init({"w": jnp.ones(2)})
        state = TrainState(jnp.int32(step), (), opt_state, (), (), {})
        assert timed.settled(job, state)[0] == job and timed.open_end(state)
        after, state = timed.measured(job, state, pace, seconds)
        assert timed.open_end(state) == (after == job)
        return after.plan.steps

    assert planned(49, 10, 20) == 5000
    assert planned(50, 10, 20) == int(50 + 10 * (120 * timed._FOR_STEPS - 20))
    assert planned(50, 1e9, 20) == 5000
    assert planned(50, 1e-9, 500) == timed._FEWEST
    assert plans.make(c, 50).within(c, 1000).evaluate == 84


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["minutes=-1"], "--config.minutes=-1.0: must be at least 0"),
        (
            ["optimizer.schedule=plateau"],
            "--config.minutes=0.02: not with --config.optimizer.schedule",
        ),
        (["kneser_ney=0", "mix=True"], "--config.mix=True: needs an n-gram model"),
        (["kneser_ney=-2"], "--config.kneser_ney=-2: must be at least -1"),
    ],
)
def test_mistakes_are_told_in_one_line(text, tmp_path, capsys, keys, message):
    assert command(text, tmp_path / "run", *keys) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not (tmp_path / "run").exists()


def test_the_share_of_a_mixture_is_the_best_one():
    rng = np.random.default_rng(0)
    first, second = rng.exponential(1, 500), rng.exponential(1.2, 500)
    grid = np.linspace(0.001, 0.999, 999)
    best = min(grid, key=lambda s: mixture.nats(first, second, s).mean())
    assert mixture.share(first, second) == pytest.approx(best, abs=2e-3)
    assert mixture.share(first, first + 1) == pytest.approx(0, abs=1e-6)
    p = (1 - 0.3) * np.exp(-first) + 0.3 * np.exp(-second)
    np.testing.assert_allclose(mixture.nats(first, second, 0.3), -np.log(p))


def test_no_symbol_chooses_its_own_share():
    rng = np.random.default_rng(1)
    first, second = rng.exponential(1, 100), rng.exponential(1.5, 100)
    before, shares = mixture.loss(first, second)
    early, late = mixture.share(first[:50], second[:50]), mixture.share(first[50:], second[50:])
    each = [
        mixture.nats(first[:50], second[:50], late),
        mixture.nats(first[50:], second[50:], early),
    ]
    assert before == pytest.approx(np.concatenate(each).mean())
    assert shares == pytest.approx((early + late) / 2)


def test_a_run_is_evaluated_as_it_was_trained_or_not_at_all(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(timed, "_FEWEST", 4)
    run, other = tmp_path / "run", tmp_path / "other.txt"
    other.write_text(text.read_text()[::-1])
    assert command(text, run, "steps=4") == 0
    argv = ["train.py", f"--config={ROOT / 'configs/char_lm.py'}", f"--run={run}", "--mode=eval"]
    capsys.readouterr()
    assert cli.run(train.main, [*argv, f"--config.data.path={other}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(
        f"error: --config.data.path={other}: --mode=eval evaluates a run as it was"
    )
    assert cli.run(train.main, [*argv, f"--config.data.path={text}"]) == 0
