"""What train.py does with its flags: --help of a config, --seeds, --jobs, --overwrite, --mode."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bad_input import files, keys

import train
import zoo
from zoo import cache, cli, key_table, predict, sample, score, tasks
from zoo import config as configs
from zoo.runs import folder, overwrite, seeds
from zoo.terminal import line
from zoo.train import side_by_side

ROOT = Path(__file__).parent.parent


pytestmark = pytest.mark.usefixtures("at_the_root")


def argv(paths, config, run, *flags):
    """The command of a tiny training."""
    path = [f"--config.data.path={paths[config]}"] if config in paths else []
    return [
        "train.py",
        f"--config=configs/{config}.py",
        *path,
        *keys(config),
        f"--run={run}",
        *flags,
    ]


@pytest.fixture
def trained(paths, capsys):
    """(config, run, flags) -> (exit code, stdout, stderr) of a tiny training."""

    def run(config, run, *flags):
        capsys.readouterr()
        return cli.run(train.main, argv(paths, config, run, *flags)), *capsys.readouterr()

    return run


def test_help_of_a_config_is_a_table_of_its_keys(capsys):
    for task in tasks.names():
        config = next(
            c for c in sorted((ROOT / "configs").glob("*.py")) if configs.load(str(c)).task == task
        )
        assert cli.run(train.main, ["train.py", f"--config={config}", "--help"]) == 0
        out, err = capsys.readouterr()
        assert "--overwrite" in out and "python/tuple" not in out and err == ""
        listed = re.findall(r"^  ([a-z_0-9.]+)  +\S", out.partition("keys, as in")[2], re.MULTILINE)
        own = [
            k for k in configs.flatten(configs.load(str(config))) if k not in key_table.OF_THE_FILE
        ]
        assert set(listed) <= set(own) and "seed" in listed and "optimizer.schedule" in listed
        words = out.partition("keys, as in")[2].splitlines()[1:]
        assert sum(len(line.split()) > 2 for line in words) > 0.9 * len(words)


def test_a_key_in_the_table_says_what_stands_beside_it_in_the_source():
    words = key_table.meanings(configs.base)
    assert words["patience"].startswith("evaluations without improvement before training stops")
    assert words["optimizer.average"].startswith("of the parameters, which is evaluated")
    table = key_table.table(configs.load("configs/corpora.py"))
    assert re.search(r"^  common\.data\.window +\d+ +symbols of a step$", table, re.MULTILINE)


def test_names_between_commas_are_a_tuple_as_in_zoo_predict(trained, tmp_path):
    run = tmp_path / "run"
    assert trained("language_detector", run, "--config.data.languages=en,fr")[0] == 0
    assert folder.read_config(run).data.languages == ("en", "fr")
    code, *_ = trained("language_detector", run, "--config.data.languages=('en','fr')")
    assert code == 0  # the same run


def test_the_last_line_of_a_training_is_short_json_and_result_json_has_all(trained, tmp_path):
    code, out, _ = trained("char_lm", tmp_path / "run")
    shown = json.loads(out.splitlines()[-1])
    metrics = json.loads((tmp_path / "run/result.json").read_text())["metrics"]
    assert code == 0 and 0 < len(shown) < len(metrics) and len(out.splitlines()[-1]) < 200
    assert shown["valid_loss"] == round(metrics["valid_loss"], 4)


def test_check_tells_the_vocabulary_and_the_share_of_unknown_characters(trained, tmp_path):
    (tmp_path / "own.txt").write_text("ö" + "ab" * 2000)
    own = f"--config.data.path={tmp_path}/own.txt"
    code, out, _ = trained("char_lm", tmp_path / "run", "--mode=check", own)
    about = json.loads(out)["data"]
    assert code == 0 and about["vocabulary"] == 3  # a, b, and the unknown one: ö is there once
    assert about["unknown"] == {"train": 1 / 3600, "valid": 0.0}
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def two_seeds(paths, tmp_path_factory):
    """A folder of two seeds, which nobody changes."""
    run = tmp_path_factory.mktemp("runs") / "run"
    with contextlib.chdir(ROOT):
        assert cli.run(train.main, argv(paths, "char_lm", run, "--seeds=2")) == 0
    return run


needs_two_cores = pytest.mark.skipif(cache.cores() < 2, reason="needs two cores")


@needs_two_cores
def test_seeds_side_by_side_are_those_that_are_trained_one_after_the_other(
    trained, two_seeds, tmp_path
):
    code, out, err = trained("char_lm", tmp_path / "run", "--seeds=2", "--jobs=2")
    assert code == 0 and '"mean"' in out
    for seed in range(2):
        assert f"seed {seed}: step " in err and f"seed-{seed} is finished" in err
        beside, alone = tmp_path / f"run/seed-{seed}", two_seeds / f"seed-{seed}"
        assert folder.read_config(beside) == folder.read_config(alone)
        digests = [folder.read_result(run)["params_sha256"] for run in (beside, alone)]
        assert digests[0] == digests[1]


@needs_two_cores
def test_seeds_side_by_side_are_told_to_stop_once_and_waited_for(tmp_path, monkeypatch):
    script = """
import os, signal, sys, time
told = []
signal.signal(signal.SIGINT, lambda *_: told.append(1))
cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else "1"
print("cores", len(cores), file=sys.stderr, flush=True)
while not told:
    time.sleep(0.01)
time.sleep(0.3)
print("told", len(told), "times", file=sys.stderr)
"""
    begun, said = [], []

    def begin(words):
        begun.append(words[-1])
        command = [sys.executable, "-c", script]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def say(text):
        said.append(text)
        if len(said) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(side_by_side, "_begun", begin)
    monkeypatch.setattr(line, "say", say)
    assert side_by_side.train(["--config=x"], tmp_path, 3, 2) == 128 + signal.SIGINT
    assert sorted(begun) == [f"--run={tmp_path}/seed-{seed}" for seed in range(2)]
    both = [f"seed {seed}: " for seed in range(2)]
    assert sorted(s for s in said if "told" in s) == [f"{who}told 1 times" for who in both]
    cores = [int(s.split()[-1]) for s in said if "cores" in s]
    assert sum(cores) <= max(2, cache.cores())


@pytest.mark.parametrize(
    "flags, error",
    [
        (["--jobs=2"], "give --seeds"),
        (["--jobs=2", "--seeds=2", "--mode=eval"], "give --seeds, and no --mode"),
        (["--jobs=0", "--seeds=2"], "at least 1"),
        (["--jobs=1000", "--seeds=2"], "--jobs=1000: each needs a core"),
    ],
)
def test_jobs_that_cannot_be_are_named(trained, tmp_path, flags, error):
    code, _, err = trained("char_lm", tmp_path / "run", *flags)
    assert code == 2 and error in err and not (tmp_path / "run").exists()


@pytest.fixture
def two(two_seeds, tmp_path):
    """A copy of it."""
    return shutil.copytree(two_seeds, tmp_path / "run")


def test_a_folder_of_seeds_is_evaluated_and_its_best_seed_writes(trained, two, capsys):
    code, out, _ = trained("char_lm", two, "--mode=eval")
    shown = json.loads(out)
    assert code == 0 and set(shown) == {"seed-0", "seed-1", "summary", "together"}
    losses = [shown[f"seed-{s}"]["valid_loss"] for s in range(2)]
    assert shown["summary"]["valid_loss"]["values"] == losses
    code, out, _ = trained("char_lm", two, "--mode=eval", "--seeds=1")
    assert code == 0 and set(json.loads(out)) == {"seed-0", "summary"}

    def write(run):
        assert cli.run(sample.main, ["sample", f"--run={run}", "--length=20"]) == 0
        return capsys.readouterr()

    for better in (0, 1):
        for seed in range(2):
            file = two / f"seed-{seed}/result.json"
            result = json.loads(file.read_text())
            result["metrics"]["valid_loss"] = 1.0 if seed == better else 2.0
            file.write_text(json.dumps(result))
        written, said = write(two)
        assert written == write(two / f"seed-{better}").out
        assert said == f"{two}/seed-{better}: the best of 2 seeds, valid_loss 1\n"
    text = f"--input={two / 'seed-0/config.json'}"
    assert cli.run(score.main, ["score", f"--run={two}", text, "--whole"]) == 0
    assert f"{two}/seed-1: the best of 2 seeds" in capsys.readouterr().err
    assert zoo.load(two).run == two / "seed-1"
    shutil.rmtree(two / "seed-1/checkpoints")
    (two / "seed-1/result.json").unlink()
    assert seeds.best(two)[0] == two / "seed-0"


def test_all_seeds_together_have_the_mean_of_their_probabilities(trained, two_seeds, capsys):
    text = "the cat\n"

    def nats(given):
        model, params = given
        ids = given.tokens("\n" + text)
        _, each = model.apply(params, ids[None, :-1], ids[None, 1:], method="nats")
        return np.asarray(each, np.float64)[0]

    each = [nats(zoo.load(two_seeds / f"seed-{s}")) for s in range(2)]
    together = zoo.load(two_seeds, together=True)
    assert together.run == two_seeds / "seed-0"
    mean = -np.log(np.mean(np.exp(np.negative(each)), axis=0))
    np.testing.assert_allclose(nats(together), mean, rtol=1e-5)

    def command(main, *flags):
        capsys.readouterr()
        assert cli.run(main, ["command", f"--run={two_seeds}", "--together", *flags]) == 0
        return capsys.readouterr().out

    file = two_seeds.parent / "text.txt"
    file.write_text(text)
    row = json.loads(command(score.main, f"--input={file}", "--whole"))
    assert row["nats"] == pytest.approx(mean.sum(), rel=1e-5)
    written = command(sample.main, "--prompt=the ", "--length=20")
    assert written == f"the {together.generate('the ', length=20)}\n"

    shown = json.loads(trained("char_lm", two_seeds, "--mode=eval")[1])
    losses = [shown[f"seed-{s}"]["valid_loss"] for s in range(2)]
    assert shown["together"]["valid_loss"] < max(losses)


def test_seeds_that_cannot_be_one_model_are_told(two, tmp_path, capsys):
    def error(run, *flags):
        assert cli.run(score.main, ["score", f"--run={run}", "--together", *flags]) == 2
        return capsys.readouterr().err.removeprefix("error: ")

    assert error(two, "--mixed").startswith("--mixed: not with --together")
    assert error(two / "seed-0").startswith(f"--run={two}/seed-0: has 0 finished seed(s);")
    (two / "seed-1/result.json").unlink()
    assert error(two).startswith(f"--run={two}: has 1 finished seed(s); --together takes two")
    (tmp_path / "forecasts").mkdir()
    for seed in range(2):
        zipfile.ZipFile(ROOT / "tests/old_runs/runs.zip").extractall(tmp_path)
        (tmp_path / "forecasting").rename(tmp_path / f"forecasts/seed-{seed}")
    assert "--together is of language models" in error(tmp_path / "forecasts")


def test_the_best_of_a_folder_of_seeds_predicts(tmp_path, capsys):
    for seed in range(2):
        zipfile.ZipFile(ROOT / "tests/old_runs/runs.zip").extractall(tmp_path)
        (tmp_path / "forecasting").rename(tmp_path / f"seed-{seed}")
    (tmp_path / "seed-0/result.json").unlink()
    assert cli.run(predict.main, ["predict", f"--run={tmp_path}"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 6
    assert err.splitlines()[0].startswith(f"{tmp_path}/seed-1: the only seed that is finished, ")


@pytest.mark.parametrize("config", ["char_lm", "forecast", "language_detector", "text_classifier"])
def test_overwrite_starts_anew_and_says_what_was_deleted(trained, config, tmp_path):
    run = tmp_path / "run"
    code, _, err = trained(config, run, "--overwrite")  # nothing is there
    assert code == 0 and "deleted" not in err
    before = files(run)
    other = "--config.log_every=1"  # another setting that needs no other program
    assert trained(config, run, other)[0] == 2
    assert files(run) == before  # nothing happened
    code, _, err = trained(config, run, other, "--overwrite")
    assert code == 0 and f"{run}: deleted " in err and "checkpoints" in err and "result.json" in err
    assert folder.read_config(run).log_every == 1


def test_overwrite_deletes_nothing_where_the_new_training_cannot_begin(trained, two):
    before = files(two)
    for wrong in ("--config.data.min_count=100000", "--config.optimizer.schedule=linear"):
        assert trained("char_lm", two, "--overwrite", wrong)[0] == 2
        assert files(two) == before


def test_overwrite_of_a_folder_of_seeds_starts_all_anew(trained, two):
    code, _, err = trained("char_lm", two, "--seeds=1", "--overwrite")
    assert code == 0 and "deleted seed-0, seed-1, summary.json" in err
    assert not (two / "seed-1").exists() and (two / "seed-0/result.json").exists()


def test_overwrite_never_deletes_what_is_no_run(tmp_path):
    def refused(path):
        before = files(tmp_path)
        with pytest.raises(configs.UserError, match=r"nothing was deleted|is no folder"):
            overwrite.clear(path)
        assert files(tmp_path) == before

    mine = tmp_path / "mine"
    (mine / "plots").mkdir(parents=True)
    (mine / "plots/a.png").write_text("")
    refused(mine)  # nothing says that it is a run
    (mine / "config.json").write_text("{}")
    (mine / "thesis.tex").write_text("")
    refused(mine)
    (mine / "thesis.tex").unlink()
    (mine / "seed-0").mkdir()
    (mine / "seed-0/thesis.tex").write_text("")
    refused(mine)
    refused(mine / "config.json")
    (mine / "seed-0/thesis.tex").unlink()
    held = folder.open_folder(mine)
    with pytest.raises(configs.UserError, match="another process is training"):
        overwrite.clear(mine)
    held.close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept.txt").write_text("")
    (mine / "checkpoints").symlink_to(elsewhere)
    assert "deleted checkpoints, config.json, plots, seed-0" in overwrite.clear(mine)
    assert (elsewhere / "kept.txt").exists() and overwrite.clear(tmp_path / "none") == ""
