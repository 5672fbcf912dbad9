"""Runs that go on: a finished one for longer, and a new one from the parameters of another."""

import json
import shutil
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from bad_input import keys as tiny

import train
import zoo
from zoo import cli
from zoo.runs import folder

ROOT = Path(__file__).parent.parent
TINY = ["model.hidden=6", "model.embed=4", "batch_size=4", "data.window=8", "eval_every=10"]
TINY += ["log_every=5", "optimizer.schedule=constant", "optimizer.warmup_steps=0", "kneser_ney=0"]
TINY += ["mix=False", "patience=0", "minutes=0"]


def command(run, *keys, config="--config=" + str(ROOT / "configs/char_lm.py")):
    argv = [config, *(f"--config.{key}" for key in keys), f"--run={run}"]
    return cli.run(train.main, ["train.py", *argv])


@pytest.fixture
def keys(text):
    return [*TINY, f"data.path={text}"]


def test_a_finished_run_goes_on_to_the_bits_of_the_longer_one(keys, tmp_path, capsys):
    short, long = tmp_path / "short", tmp_path / "long"
    assert command(short, *keys, "steps=20") == command(long, *keys, "steps=40") == 0
    first = folder.read_result(short)
    capsys.readouterr()
    assert command(short, *keys, "steps=40") == 0
    told = capsys.readouterr().err
    assert f"{short} was finished with 20 steps, and goes on to 40\n" in told
    result, whole = folder.read_result(short), folder.read_result(long)
    for key in ("params_sha256", "best_sha256", "metrics", "steps"):
        assert result[key] == whole[key], key
    (entry,) = result["history"]
    assert entry["steps"] == 20 and entry["changed"] == {"steps": [20, 40]}
    assert entry["params_sha256"] == first["params_sha256"] != result["params_sha256"]
    assert "history" not in whole
    records = [json.loads(line) for line in (short / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records] == list(range(5, 45, 5))
    assert command(short, *keys, "steps=40") == 0
    assert f"{short} is finished" in capsys.readouterr().err

    for steps in (20, 30):  # not longer: told, and nothing is lost
        assert command(short, *keys, f"steps={steps}") == 2
        assert "is finished, with 40 steps; to go on ask for more" in capsys.readouterr().err
    assert command(short, *keys, "steps=60", "model.hidden=7") == 2
    assert "began with model.hidden=6, now 7" in capsys.readouterr().err
    assert folder.read_result(short) == result


@pytest.mark.parametrize("written", [("history.json",), ("history.json", "config.json")])
def test_a_run_that_was_killed_when_it_was_about_to_go_on_does_so(keys, written, tmp_path):
    run, kept = tmp_path / "run", {}
    assert command(run, *keys, "steps=20") == 0
    before = {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()}
    assert command(run, *keys, "steps=30") == 0
    whole = folder.read_result(run)
    kept = {name: (run / name).read_bytes() for name in written}
    for p in (run / "checkpoints").iterdir():
        if p.name == "30":
            p.rename(tmp_path / "later")
    for name, content in {**before, **kept}.items():
        (run / name).write_bytes(content)
    assert command(run, *keys, "steps=30") == 0
    again = folder.read_result(run)
    assert again["params_sha256"] == whole["params_sha256"] and again["steps"] == 30
    assert [entry["steps"] for entry in again["history"]] == [20]


def test_a_run_that_patience_ended_needs_more_of_it(keys, tmp_path, capsys):
    still = ["optimizer.learning_rate=0", "optimizer.average="]  # never better than at first
    run = tmp_path / "run"
    assert command(run, *keys, *still, "steps=90", "patience=2") == 0
    assert folder.read_result(run)["steps"] == 30
    assert command(run, *keys, *still, "steps=200", "patience=2") == 2
    assert "ended after 30 steps by --config.patience=2" in capsys.readouterr().err
    assert command(run, *keys, *still, "steps=200", "patience=4") == 0
    assert folder.read_result(run)["steps"] == 50


def test_a_new_run_starts_from_another_one_with_its_settings(keys, tmp_path, capsys):
    run, further = tmp_path / "run", tmp_path / "further"
    assert command(run, *keys, "steps=20") == 0
    other = tmp_path / "other.txt"
    other.write_text("a mat sat on the cat.\n" * 90)
    begin = f"--from={run}"
    assert cli.run(train.main, ["train.py", begin, f"--config.data.path={other}"]) == 2
    assert "--run is missing" in capsys.readouterr().err
    still = ["optimizer.learning_rate=0", f"data.path={other}"]
    assert command(further, *still, config=begin) == 0
    before, after = zoo.load(run), zoo.load(further)
    near = partial(np.testing.assert_allclose, atol=1e-7)  # they are averages of equal ones
    jax.tree.map(near, before.params, after.params)
    config = folder.read_config(further)
    assert config.start == str(run) and config.model.hidden == 6 and config.steps == 20
    assert after.generate("the ", length=5, seed=1) == before.generate("the ", length=5, seed=1)


def test_a_new_run_starts_from_the_best_of_several_seeds(keys, tmp_path, capsys):
    several, further = tmp_path / "several", tmp_path / "further"
    begin = f"--from={several}"
    assert (
        command(several / "seed-0", *keys, "steps=5") == 0
    )  # as a training that was stopped leaves it
    result = several / "seed-0" / "result.json"
    result.rename(several / "result")
    assert command(further, config=begin) == 2
    assert f"--from={several}: none of its 1 seeds is finished yet" in capsys.readouterr().err
    (several / "result").rename(result)
    assert command(further, "optimizer.learning_rate=0", config=begin) == 0
    told = capsys.readouterr().err
    assert f"{several / 'seed-0'}: the only seed that is finished, valid_loss" in told
    assert folder.read_config(further).start == str(several / "seed-0")


def test_what_cannot_start_from_another_run_says_so(keys, tmp_path, capsys):
    missing = tmp_path / "missing"
    assert command(tmp_path / "run", *keys, config=f"--from={missing}") == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.fixture(scope="module")
def banks(paths, tmp_path_factory):
    """config -> (its run, its flags): three members each; of the forecaster two, of each of its kinds."""
    folder, found = tmp_path_factory.mktemp("banks"), {}
    for name in ("forecast", "language_detector", "text_classifier"):
        members = "" if name == "forecast" else "ensemble.members=3"
        flags = [f"--config.data.path={paths[name]}", *tiny(name, members)]
        config = f"--config={ROOT / 'configs' / name}.py"
        assert cli.run(train.main, ["train.py", config, *flags, f"--run={folder / name}"]) == 0
        found[name] = folder / name, [config, *flags]
    return found


@pytest.mark.parametrize("name", ["forecast", "language_detector", "text_classifier"])
def test_each_member_of_a_bank_starts_from_its_own(banks, name, tmp_path, capsys):
    begun, flags = banks[name]
    still = ["--config.optimizer.learning_rate=0", "--config.optimizer.average=", "--config.seed=5"]
    begin = ["train.py", *flags, f"--from={begun}", *still]
    assert cli.run(train.main, [*begin, f"--run={tmp_path / 'run'}"]) == 0
    before, after = zoo.load(begun), zoo.load(tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, before.params, after.params)
    for wrong in ("model.hidden=7", "ensemble.members=4"):
        capsys.readouterr()
        other = [*begin, f"--config.{wrong}", f"--run={tmp_path / 'other'}"]
        assert cli.run(train.main, other) == 2
        assert "a model of other sizes; give it the same --config.model" in capsys.readouterr().err


DAMAGE = [("text_classifier", "classes.json"), ("text_classifier", "vocabulary.json")]
DAMAGE += [("language_detector", "detector.json"), ("language_detector", "alphabet.json")]
DAMAGE += [("forecast", "series.npz")]


@pytest.mark.parametrize(("name", "damaged"), DAMAGE)
@pytest.mark.parametrize("content", [b"", b"{}", b"[1", None])
def test_a_damaged_run_to_start_from_is_told_in_one_line(
    banks, name, damaged, content, tmp_path, capsys
):
    begun, flags = banks[name]
    copy = shutil.copytree(begun, tmp_path / "begun")
    (copy / damaged).unlink()
    if content is not None:
        (copy / damaged).write_bytes(content)
    capsys.readouterr()
    begin = ["train.py", *flags, f"--from={copy}", f"--run={tmp_path / 'run'}"]
    assert cli.run(train.main, begin) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and str(copy) in err
    assert not (tmp_path / "run").exists()
    print(err, end="")


def test_texts_must_have_the_labels_of_the_run_to_start_from(banks, paths, tmp_path, capsys):
    (begun, flags), (detector, of_languages) = banks["text_classifier"], banks["language_detector"]
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "pay me,bill\nmeet me,spam\n" * 20)
    begin = [*flags, f"--from={begun}", f"--config.data.path={other}", f"--run={tmp_path / 'run'}"]
    assert cli.run(train.main, ["train.py", *begin]) == 2
    assert "tells 'bill', 'date' apart, and the texts here are of 'bill', 'spam'; give texts" in (
        capsys.readouterr().err
    )
    begin = [*of_languages, f"--from={begun}", f"--run={tmp_path / 'run'}"]
    assert cli.run(train.main, ["train.py", *begin]) == 2
    told = "is a run of the task 'classification', and this is one of 'language_detection'"
    assert told in capsys.readouterr().err
    shutil.copytree(paths["language_detector"], tmp_path / "texts")
    (tmp_path / "texts/fr.txt").rename(tmp_path / "texts/de.txt")
    begin = [*of_languages, f"--from={detector}", f"--config.data.path={tmp_path / 'texts'}"]
    assert cli.run(train.main, ["train.py", *begin, f"--run={tmp_path / 'run'}"]) == 2
    assert "tells 'en', 'fr' apart, and the texts here are of 'de', 'en'" in capsys.readouterr().err
