"""A trained model in Python: the same as the commands say, before the end of a training too."""

import json
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo import cli, predict, sample, score
from zoo.errors import UserError

ROOT = Path(__file__).parent.parent
TEXT = "the cat sat on a mat.\na cat sat\n"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Finished runs of three tasks, each in a folder by its name."""
    monkeypatch.chdir(ROOT)
    zipfile.ZipFile(ROOT / "tests/old_runs/runs.zip").extractall(tmp_path)
    return tmp_path


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_language_model_writes_and_scores_as_the_commands_do(runs, capsys, tmp_path):
    run = runs / "language_model"
    trained = zoo.load(str(run))
    model, params = trained
    ids = trained.tokens(TEXT)
    _, logits = model.apply(params, jnp.asarray(ids)[None])
    assert logits.shape == (1, len(ids), model.vocab)

    command = ["sample", f"--run={run}", "--prompt=the ", "--length=30", "--seed=3", "--top_k=4"]
    assert cli.run(sample.main, command) == 0
    settings = {"length": 30, "seed": 3, "top_k": 4}
    written = trained.generate("the ", **settings)
    assert capsys.readouterr().out == f"the {written}\n"
    first, *others = trained.generate("the ", num=3, **settings)
    assert first == written and len(others) == 2
    assert len(trained.generate()) == 500

    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    for more, by_line in [(["--whole"], False), ([], True)]:
        assert cli.run(score.main, ["score", f"--run={run}", f"--input={file}", *more]) == 0
        said = [
            {k: v for k, v in row.items() if k != "line"} for row in rows(capsys.readouterr().out)
        ]
        assert trained.score(TEXT, lines=by_line) == (said if by_line else said[0])
    with pytest.raises(UserError, match="no share of a Kneser-Ney model"):
        trained.score(TEXT, mixed=True)
    exact, half = (trained.score(TEXT, precision=p)["nats"] for p in ("float32", "bfloat16"))
    assert half != exact and half == pytest.approx(exact, rel=0.01)
    with pytest.raises(UserError, match="precision=half: must be one of float32, bfloat16"):
        trained.score(TEXT, precision="half")
    for method in (trained.forecast, lambda: trained.predict(["the"])):
        with pytest.raises(UserError, match="a run of the task 'language_model'"):
            method()


def test_a_detector_names_languages_as_the_command_does(runs, capsys, tmp_path):
    run, texts = runs / "language_detection", ["the cat", "le chat", "☃"]
    (tmp_path / "lines.txt").write_text("\n".join(texts))
    assert cli.run(predict.main, ["predict", f"--run={run}", f"--input={tmp_path}/lines.txt"]) == 0
    said = rows(capsys.readouterr().out)
    trained = zoo.load(run)
    for row, expected in zip(trained.predict(texts), said, strict=True):
        assert row["label"] == expected["label"]
        assert row["margin"] == pytest.approx(expected["margin"], abs=1e-6)
    assert len(trained.tokens("the cat")) >= 7
    with pytest.raises(UserError, match="writes no text"):
        trained.generate()


def test_a_forecaster_forecasts_as_the_command_does(runs, capsys):
    run, file = runs / "forecasting", str(ROOT / "tests/old_runs/sales.csv")
    trained = zoo.load(run)
    for newer, more in [
        (None, []),
        (file, [f"--input={file}"]),
        (Table(file), [f"--input={file}"]),
    ]:
        command = [
            "predict",
            f"--run={run}",
            "--horizon=4",
            "--level=0.8",
            "--quantiles=0.1",
            *more,
        ]
        told = cli.run(predict.main, command), *capsys.readouterr()
        options = {"level": 0.8, "quantiles": (0.1,)}
        try:
            own = trained.forecast(4, newer, **options)
        except UserError as error:  # features that are known in advance end with the table
            assert told[0] == 2 and str(error) in told[2]
        else:
            assert own == rows(told[1])
    with pytest.raises(UserError, match="writes no text"):
        trained.generate()


class Table:
    """A file as a table of pandas."""

    def __init__(self, file):
        self.file, self.index = Path(file), type("Index", (), {"name": None})

    def to_csv(self, file, index):
        assert not index
        file.write_text(self.file.read_text())


def test_a_run_is_used_before_it_is_finished_and_says_so(runs, capsys):
    run = runs / "language_model"
    whole = zoo.load(run)
    (run / "result.json").rename(runs / "kept.json")
    with pytest.warns(UserWarning, match="is not finished: the best parameters up to step 30"):
        early = zoo.load(run)
    jax.tree.map(np.testing.assert_array_equal, early.params, whole.params)
    command = ["sample", f"--run={run}", "--prompt=the ", "--length=20"]
    assert cli.run(sample.main, command) == 0
    out, err = capsys.readouterr()
    assert len(out) == len("the ") + 20 + 1
    assert err == f"note: {run} is not finished: the best parameters up to step 30\n"


def test_what_is_written_at_the_end_cannot_be_used_before(runs, capsys):
    run = runs / "forecasting"
    (run / "result.json").unlink()
    (run / "residuals.npy").unlink()
    assert cli.run(predict.main, ["predict", f"--run={run}"]) == 2
    assert "residuals.npy" in capsys.readouterr().err
