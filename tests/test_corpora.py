"""Several corpora: generators, a classifier, and the check of what the generators write."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import train
from zoo import cli, predict, sample, tasks
from zoo import config as configs
from zoo.data.text import words
from zoo.errors import UserError
from zoo.runs import folder, load
from zoo.tasks.corpora import show, stages, windows

ROOT = Path(__file__).parent.parent
CONFIG = str(ROOT / "configs/corpora.py")
STYLES = {
    "kitchen": ["boil the water", "cut the onion", "salt the soup"],
    "garden": ["dig a hole", "plant a tree", "water a flower"],
}
TINY = {
    "data.length": 10, "check.sequences": 6, "check.ngram": 3,
    **{f"{stage}.{key}": value for stage in ("common", "generator")
       for key, value in {"batch_size": 4, "steps": 3, "model.embed": 4, "model.hidden": 4}.items()},
    "classifier.batch_size": 8, "classifier.steps": 3, "classifier.model.embed": 4,
    "classifier.model.hidden": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder of two corpora."""
    path = tmp_path_factory.mktemp("texts")
    for i, (name, lines) in enumerate(STYLES.items()):
        chosen = np.random.default_rng(i).choice(lines, 300 + 100 * i)
        (path / f"{name}.txt").write_text("\n\n".join(f"{line}." for line in chosen) + "\n")
    return path


def arguments(path, run, **settings):
    settings = {"data.path": path} | TINY | settings
    given = [f"--config.{key}={value}" for key, value in settings.items()]
    return ["train.py", f"--config={CONFIG}", f"--run={run}", *given]


@pytest.fixture(scope="module")
def run(texts, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "corpora"
    assert cli.run(train.main, arguments(texts, path)) == 0
    return path


def configured(texts, **settings):
    c = configs.load(CONFIG)
    c.data.path = str(texts)
    c.update_from_flattened_dict(TINY | settings)
    return c


def test_sequences_are_of_so_many_words_and_cross_no_border(texts, tmp_path):
    text = (texts / "kitchen.txt").read_text()
    each = windows.of(text, 10)
    assert all(len(words.tokens(one, lines=True)) <= 10 for one in each)
    whole = words.tokens(text, lines=True)
    assert len(each) == len(whole) // 10
    windows.write(tmp_path / "w" / "a.csv", {"kitchen": each[:2], "garden": []})
    rows = (tmp_path / "w" / "a.csv").read_text().splitlines()
    assert rows[0] == "text,label" and len(each[0].split("\n")) + len(
        each[1].split("\n")
    ) + 1 == len(rows)


def test_a_run_trains_its_stages_and_checks_what_they_write(run):
    result = json.loads((run / "result.json").read_text())
    m = result["metrics"]
    assert set(result["stages"]) == set(stages.NAMES)
    assert {"classifier_accuracy", "generated_accuracy", "test_ppl", "test_kneser_ney_ppl"} <= set(
        m
    )
    assert len(m["generated_accuracy_each"]) == len(m["test_ppl_each"]) == 2
    assert 0 <= m["generated_copied"] <= 1 and m["human_longest"] <= 10
    rows = (run / "generated.csv").read_text().splitlines()
    assert len([r for r in rows if r.startswith(("kitchen,", "garden,"))]) == 12
    assert (run / "plots/confusion.png").stat().st_size and "kitchen" in (
        run / "summary.txt"
    ).read_text()
    parts = (
        result["params"],
        [json.loads((run / s / "result.json").read_text()) for s in stages.NAMES],
    )
    assert parts[0] == sum(one["params"] for one in parts[1])


def test_generators_begin_with_the_common_model_and_share_its_vocabulary(run):
    common, generators = (run / name / "vocabulary.json" for name in ("common", "generators"))
    assert common.read_bytes() == generators.read_bytes()
    config = folder.read_config(run / "generators")
    assert config.start == str(run / "common")


def test_a_finished_run_says_so_and_each_stage_is_usable_by_itself(run, texts, capsys, tmp_path):
    before = (run / "result.json").read_bytes()
    assert cli.run(train.main, arguments(texts, run)) == 0
    assert f"{run} is finished" in capsys.readouterr().err
    assert (run / "result.json").read_bytes() == before
    for argv in ([f"--run={run}"], [f"--run={run / 'generators'}"]):
        command = ["sample", *argv, "--member=garden", "--length=5"]
        assert cli.run(sample.main, command) == 0
    assert cli.run(sample.main, ["sample", f"--run={run}"]) == 2
    assert "--member is missing: one of garden, kitchen" in capsys.readouterr().err
    (tmp_path / "lines.txt").write_text("salt the soup\n")
    assert (
        cli.run(predict.main, ["predict", f"--run={run}", f"--input={tmp_path / 'lines.txt'}"]) == 0
    )
    row = json.loads(capsys.readouterr().out)
    assert set(row["probabilities"]) == {"garden", "kitchen"}
    with pytest.raises(UserError, match="has several stages; give "):
        load.load(run)


def test_a_stage_whose_folder_is_gone_is_trained_again_to_the_same_bits(
    run, texts, tmp_path, capsys
):
    copy = tmp_path / "corpora"
    shutil.copytree(run, copy)
    (copy / "generators/config.json").write_text(
        (run / "generators/config.json").read_text().replace(str(run), str(copy))
    )
    shutil.rmtree(copy / "classifier")
    (copy / "result.json").unlink()
    for name in ("path", "test_path"):
        assert (copy / "windows").is_dir(), name
    assert cli.run(train.main, arguments(texts, copy)) == 0
    again, first = (json.loads((r / "result.json").read_text()) for r in (copy, run))
    assert again["metrics"] == first["metrics"] and again["stages"] == first["stages"]


def test_mode_eval_checks_again_and_mode_check_trains_nothing(run, texts, tmp_path, capsys):
    argv = arguments(texts, run)
    assert cli.run(train.main, [*argv, "--mode=eval"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == json.loads((run / "result.json").read_text())["metrics"]
    nothing = arguments(texts, tmp_path / "nothing")
    assert cli.run(train.main, [*nothing, "--mode=check"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(stages.NAMES)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 3.0}, "each stage has its own; set --config.common.epochs"),
        ({"data.corpora": ("kitchen",)}, "only 'kitchen'; give two corpora"),
        ({"data.corpora": ("kitchen", "cellar")}, "no cellar.txt in"),
        ({"data.length": 2000}, "its (train|test) part has fewer than 2000 words"),
        ({"check.ngram": 11}, "must be at most --config.data.length, 10"),
        ({"data.most": 1}, "--config.data.most=1: must be at least 2"),
        ({"data.path": "/nowhere/at/all"}, "no folder; give one with a .txt file a corpus"),
    ],
)  # fmt: skip
def test_mistakes_are_told(texts, settings, said):
    with pytest.raises(UserError, match=said):
        stages.describe_data(configured(texts, **settings))


def test_an_empty_corpus_is_named_and_the_same_text_twice_is_said(tmp_path, texts, capsys):
    for name in ("kitchen", "again"):
        shutil.copy(texts / "kitchen.txt", tmp_path / f"{name}.txt")
    stages.describe_data(configured(tmp_path))
    assert (
        "again and kitchen are the same text; nothing can tell them apart"
        in capsys.readouterr().err
    )
    (tmp_path / "void.txt").write_text("")
    with pytest.raises(UserError, match=r"void\.txt' is empty"):
        stages.describe_data(configured(tmp_path))
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    with pytest.raises(UserError, match=r"no \.txt file in this folder"):
        stages.describe_data(configured(tmp_path))


def test_texts_that_cannot_be_used_leave_no_folder(texts, tmp_path, capsys):
    argv = arguments(texts, tmp_path / "run", **{"data.length": 2000})
    assert cli.run(train.main, argv) == 2
    assert "has fewer than 2000 words" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_task_of_several_stages_is_no_single_task(texts):
    with pytest.raises(UserError, match="corpora is several trainings"):
        tasks.make(configured(texts))


def test_the_summary_counts_what_each_judge_said():
    own = np.array(["a", "a", "b", "b"])
    metrics = {
        "classifier_accuracy": 1.0, "generated_accuracy": 0.75, "generated_accuracy_each": [0.5, 1.0],
        "test_ppl_each": [10.0, 20.0],
    }  # fmt: skip
    copied = {n: dict.fromkeys(("generated_copied", "human_copied"), 0.0) for n in "ab"}
    for row in copied.values():
        row |= {"generated_longest": 3, "human_longest": 4}
    check = show.Check(
        ["a", "b"], ["w x"] * 4, own, {"classifier": ["a", "b", "b", "b"]}, copied, metrics
    )
    assert show._counts(check, "classifier").tolist() == [[1, 1], [0, 2]]
    assert "0.7500" in show.summary(check)
