"""Language detection: likelihoods against brute force, posteriors, commands; banks."""

import io
import json
import os
import sys
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from languages import builder, texts
from reference import parameters

import train
from zoo import cli, predict
from zoo.data.text import lines as text_lines
from zoo.data.text.alphabet import START, script, scripts_of
from zoo.errors import UserError
from zoo.runs import folder
from zoo.tasks import labels
from zoo.tasks.language_detection import evaluation, likelihood, windows
from zoo.tasks.language_detection import task as module
from zoo.train import command, loop
from zoo.train import job as jobs

needs_data = pytest.mark.skipif(not os.environ.get("ZOO_DATA"), reason="ZOO_DATA is not set")
CONFIG = Path(__file__).parent.parent / "configs/language_detector.py"


@pytest.fixture
def make(tmp_path):
    return builder(tmp_path)


@cache
def compiled(model):
    return jax.jit(model.apply)


def brute(task, params, string, language, member):
    """log P of a string under one model, a character at a time."""
    return sum(log_p(task, params, string, language, member))


def log_p(task, params, string, language, member):
    """log P of each character after those before it, one step at a time."""
    mine, label = jax.tree.map(lambda a: a[member], params), jnp.array([language])
    label = label if task.config.model.shared else None
    carry, before, each = None, START, []
    apply = compiled(task.model)
    for token in task.alphabet.encode(string):
        carry, logits = apply(mine, jnp.full((1, 1), before), carry, label)
        each.append(float(jax.nn.log_softmax(logits[0, 0])[token]))
        before = int(token)
    return each


@pytest.fixture
def small_pieces(monkeypatch):
    """Strings are read in pieces of 4 and 8, some rows at a time."""
    monkeypatch.setattr(likelihood, "_HEAD", 4)
    monkeypatch.setattr(likelihood, "_WIDTHS", (4, 8))
    monkeypatch.setattr(likelihood, "_ROWS", (4, 10))


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.usefixtures("small_pieces")
def test_scores_are_the_sums_of_the_log_probabilities_of_every_character(
    make, shared, backward, monkeypatch
):
    monkeypatch.setattr(module, "_LOGITS", 100)  # a piece has 1 or 2 characters
    task = make(shared, ensemble__members=3, ensemble__backward=backward)
    params = parameters(task)
    strings = ["1", "", "ab 1", "1 do 2", "?" * 19, "dodo bab", "zz" * 8]
    task.scripts = [["LATIN"]] * 3  # every language is scored
    got = task.scores(params, strings)
    n = len(task.codes)
    for i, string in enumerate(strings):
        for k in range(n):
            members = range(3) if shared else range(k, 3 * n, n)
            want = np.mean([
                brute(task, params, string[:: -1 if backward and r % 2 else 1], k, m)
                for r, m in enumerate(members)
            ])  # fmt: skip
            assert got[i, k] == pytest.approx(want, abs=2e-4)
    if not backward:
        trace = task.trace(params, "1 do 2")
        np.testing.assert_allclose(trace.sum(axis=0), got[3], atol=1e-4)


def test_members_that_read_backwards_learn_so(make):
    task = make(ensemble__members=2, ensemble__backward=True)
    data, n = task.data("train"), len(task.codes)
    for member in (0, n):
        label, share, _ = task.indices(jnp.int32(0), 0, member)
        read = np.asarray(task.gather(data, task.indices(jnp.int32(0), 0, member))["tokens"])
        forwards = np.asarray(task.gather(data, (label, share, False))["tokens"])
        np.testing.assert_array_equal(read, forwards[:, :: -1 if member else 1])


def test_one_member_cannot_read_both_ways(make):
    with pytest.raises(UserError, match="members of 2 or more"):
        make(ensemble__backward=True)


def test_letters_say_which_languages_are_scored():
    scripts = [["LATIN"], ["LATIN"], ["CYRILLIC"], ["CJK", "HIRAGANA", "LATIN"]]
    strings = {
        "abc": [1, 1, 0, 1],
        "жук": [0, 0, 1, 0],
        "中": [0, 0, 0, 1],
        "жук abcdefghijkl": [0, 0, 1, 0],  # one letter in five: the Latin ones are a quotation
        "ж abcdefghijklm": [1, 1, 1, 1],
        "12 ?": [0, 0, 0, 0],
        "αβγ": [0, 0, 0, 0],
        "αβγ a": [1, 1, 0, 1],
    }
    allowed = likelihood.candidates(list(strings), scripts)
    assert allowed.astype(int).tolist() == list(strings.values())


@pytest.mark.usefixtures("small_pieces")
def test_languages_far_behind_are_not_scored_to_the_end(monkeypatch):
    asked = []

    def piece(languages, symbols, carry):
        carry = [np.zeros((1, len(languages), 1))] if carry is None else carry
        asked.append(set(zip(symbols[:, 1].tolist(), languages.tolist(), strict=True)))
        costs = np.array([1.0, 2.0, 20.0])[languages]
        return [carry[0] + 1], np.repeat(-costs[:, None], symbols.shape[1] - 1, axis=1)

    tokens = [np.full(n, n, np.int32) for n in (14, 3, 9)]
    got = likelihood.score(piece, tokens, np.array([[1, 1, 1], [0, 1, 1], [0, 1, 1]], bool))
    np.testing.assert_allclose(got[0], [-14, -28, -14 - (80 - 4)])  # keeps the distance it had
    np.testing.assert_allclose(got[1], [-6 - likelihood.RULED_OUT, -6, -60])
    assert [(14, 0) in rows for rows in asked].count(True) == 3
    assert [(14, 2) in rows for rows in asked].count(True) == 1
    # With one language left, the rest of the string is not read.
    assert [(9, 1) in rows for rows in asked].count(True) == 1
    assert got[2, 1] - got[2, 2] == 80 - 8


def test_members_that_read_backwards_are_not_asked_of_what_is_far_behind(make, monkeypatch):
    task, asked = make(ensemble__members=2, ensemble__backward=True), []

    def score(piece, tokens, allowed, *_):
        asked.append(allowed.tolist())
        return np.array([[-3.0, -4.0 - likelihood.BEHIND, -13.0]])

    monkeypatch.setattr(likelihood, "score", score)
    task.scripts = [["LATIN"]] * 3
    got = task.scores({}, ["abba"])
    assert asked == [[[True, True, True]], [[True, False, True]]]
    np.testing.assert_allclose(got, [[-3.0, -4.0 - likelihood.BEHIND, -13.0]])


def test_whole_strings_are_read_between_spaces_where_the_config_says_so(make):
    task = make(data__ends="spaces")
    params = parameters(task)
    np.testing.assert_allclose(
        task.scores(params, ["Abba  baba"]), task.scores(params, [" abba baba "], whole=False)
    )


def test_the_discriminative_loss_by_hand(make):
    d = 0.4
    task = make(True, discriminative=d, contenders=3)
    params = jax.tree.map(lambda a: a[0], parameters(task))
    batch = task.gather(task.data("train"), task.indices(jnp.int32(0), 0, 0))
    sums, _ = task.loss(params, (), batch, jax.random.key(0))
    tokens, labels = np.asarray(batch["tokens"]), np.asarray(batch["label"])
    each = np.stack([  # (languages, B, T)
        np.asarray(task._log_p(params, jnp.asarray(tokens), jnp.full(len(tokens), k)))
        for k in range(3)
    ])  # fmt: skip
    prefix = np.cumsum(each, axis=2)
    posterior = prefix - np.log(np.exp(prefix).sum(axis=0))
    own = np.arange(len(tokens))
    nats = -each[labels, own].mean()
    want = (1 - d) * nats - d * posterior[labels, own].mean()
    assert float(sums["nats"].total / sums["nats"].weight) == pytest.approx(nats, rel=1e-5)
    assert float(sums["loss"].total / sums["loss"].weight) == pytest.approx(want, rel=1e-4)


def test_windows_are_of_the_text_of_their_language(make):
    task = make()
    data = task.data("train")
    seen = set()
    for member in range(3):
        batch = task.gather(data, task.indices(jnp.int32(1), 5, member))
        text = task.parts["train"][member]
        for row in np.asarray(batch["tokens"]):
            window = "".join(
                task.alphabet.characters[i - 2 - len(task.alphabet.scripts)] for i in row
            )
            assert window in text
            seen.add(window)
    assert len(seen) > 3


def test_windows_begin_with_a_word_where_reading_begins(make):
    task = make(data__starts="spaces", ensemble__members=2, ensemble__backward=True)
    data, space = task.data("train"), int(task.alphabet.encode(" ")[0])
    for member in range(6):  # three languages forwards, then backwards
        batch = task.gather(data, task.indices(jnp.int32(1), 5, member))
        rows = np.asarray(batch["tokens"])
        assert (rows[:, 0] == space).all()
        forwards = rows[:, ::-1] if member >= 3 else rows
        text = task.alphabet.encode(task.parts["train"][member % 3])
        there = np.lib.stride_tricks.sliding_window_view(text, rows.shape[1])
        assert all((there == row).all(axis=1).any() for row in forwards)
    assert len(np.unique(rows, axis=0)) > 1


def test_windows_that_begin_with_words_need_spaces():
    texts = ["aa bb cc dd ee", "a aaaaaaaaaaaa b", "漢字かな交じり文書"]
    found = windows.spaces(texts[::2], ["aa", "ja"], 5)
    assert found["places"].tolist() == [[5, 8], [4, 0]], "anywhere in what has no spaces"
    assert found["count"].tolist() == [2, 1]
    with pytest.raises(UserError, match="of 'bb' has 4 characters on either side; use anywhere"):
        windows.spaces(texts[:2], ["aa", "bb"], 5)


def test_posterior_priors_temperature_and_unknown(make):
    task = make(priors="aa=3,bb=1")
    params = parameters(task)
    strings = ["abba", "", "12345", "ไทย", "!?", "\0", "жук"]
    rows = task.posterior(params, strings)
    assert [r["label"] for r in rows[1:6]] == ["unknown"] * 5
    assert rows[1]["probabilities"]["aa"] == pytest.approx(0.6)  # the priors alone
    z = task.scores(params, ["abba"])[0] + np.log([3, 1, 1])
    want = np.exp(z) / np.exp(z).sum()
    assert [rows[0]["probabilities"][c] for c in task.codes] == pytest.approx(
        want.tolist(), rel=1e-6
    )
    two = task.posterior(params, ["abba"], ["aa", "cc"])[0]["probabilities"]
    assert set(two) == {"aa", "cc"} and sum(two.values()) == pytest.approx(1)
    assert task.posterior(params, ["жук"], ["aa", "bb"])[0]["label"] == "unknown"
    assert task.posterior(params, ["abba"], margin=1.0)[0]["label"] == "unknown"
    (row,) = task.posterior(params, ["12345"], priors={"bb": 2.0})
    assert row["probabilities"]["bb"] == pytest.approx(0.5)
    with pytest.raises(UserError, match="two are needed"):
        task.posterior(params, ["abba"], ["aa"])


def test_katakana_is_japanese_where_the_training_text_has_none(make):
    task = make()
    task.codes, task.scripts = ["ja", "zh", "en"], [scripts_of("漢字とかな"), ["CJK"], ["LATIN"]]
    rows = task.posterior(parameters(task), ["コーヒー", "ｺｰﾋｰ", "コーヒー COFFEE 12"])
    assert [row["label"] for row in rows] == ["ja"] * 3


def test_lines_that_speak_for_no_language_are_all_unknown(make):
    task = make()
    lines = evaluation.unspoken({"LATIN", "CYRILLIC"})
    assert len(lines) == 500 and lines == evaluation.unspoken({"LATIN", "CYRILLIC"})
    letters = {script(c) for line in lines for c in line}
    assert len(letters) > 20 and not letters & {"LATIN", "CYRILLIC"}
    assert any(line.replace(" ", "").isnumeric() for line in lines)
    assert evaluation.unknown(task, parameters(task)) == 1.0


def test_auc_counts_pairs_and_halves_ties():
    rng = np.random.default_rng(0)
    s, y = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    pairs = s[y][:, None] - s[~y][None]
    want = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert labels.auc(s, y) == pytest.approx(want)


def test_the_calibration_error_by_hand():
    confidence, right = np.array([0.9, 0.92, 0.5, 1.0]), np.array([True, False, True, True])
    want = (abs(1.82 - 1) + abs(0.5 - 1) + 0) / 4  # 0.9 and 0.92 share a bin of 1 / 15
    assert labels.calibration_error(confidence, right) == pytest.approx(want)
    values, truth = np.log([[0.8, 0.2], [0.3, 0.7]]), np.array([0, 0])
    assert evaluation.calibration_error(values, 1.0, truth) == pytest.approx((0.2 + 0.7) / 2)


def test_substrings_are_all_that_there_are():
    strings, truth = evaluation.cut(["abcdefgh", "12345"], 5)
    assert strings == ["abcde", "bcdef", "cdefg", "defgh", "12345"]
    assert truth.tolist() == [0, 0, 0, 0, 1]
    values = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 1]])
    assert evaluation.mean_accuracy(values, truth) == pytest.approx((0.75 + 1) / 2)


def test_train_then_predict_by_the_commands(tmp_path, capsys, monkeypatch):
    folder_, run = texts(tmp_path / "texts"), tmp_path / "run"
    args = [f"--config={CONFIG}:english_french", f"--config.data.path={folder_}", f"--run={run}"]
    args += ["--config.data.languages=()", "--config.steps=60", "--config.ensemble.members=2"]
    args += ["--config.model.hidden=8", "--config.data.valid=0.2", "--config.baselines=none"]
    args += ["--config.batch_size=12"]
    assert cli.run(train.main, ["train.py", *args]) == 0
    out = capsys.readouterr().out
    assert "3 languages: aa, bb, cc" in out and "this model" in out
    for name in ("summary.txt", "confusion.csv", "detector.json", "plots/trace.png"):
        assert (run / name).stat().st_size
    metrics = folder.read_result(run)["metrics"]
    assert metrics["test_accuracy_20"] > 0.9 and metrics["test_unknown"] == 1.0

    assert cli.run(train.main, ["train.py", *args, "--mode=eval"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["test_accuracy_20"] == folder.read_result(run)["metrics"]["test_accuracy_20"]
    assert len(again["valid_loss_each"]) == 2

    def ask(text, *more):
        stdin = io.TextIOWrapper(io.BytesIO(text))
        monkeypatch.setattr(sys, "stdin", stdin)
        code = cli.run(predict.main, ["predict", f"--run={run}", *more])
        captured = capsys.readouterr()
        return code, [json.loads(line) for line in captured.out.splitlines()], captured.err

    lines = "abba caba\n\nжук кук\n٣٤\ndodo codo\r\n" + "baba " * 30_000
    code, rows, _ = ask(lines.encode())
    assert code == 0
    assert [r["label"] for r in rows] == ["aa", "unknown", "cc", "unknown", "bb", "aa"]
    code, rows, _ = ask(b"dodo codo", "--languages=aa,cc")
    assert set(rows[0]["probabilities"]) == {"aa", "cc"}
    code, (row,), _ = ask(b"?", "--priors=aa=3,cc=2")
    assert row["label"] == "unknown"
    assert row["probabilities"] == {"aa": 0.5, "cc": 0.333333, "bb": 0.166667}
    assert "did you mean 'aa'" in ask(b"", "--languages=aaa,bb")[2]
    assert "did you mean 'aa'" in ask(b"", "--priors=aaa=1")[2]
    assert "'aa=0': must be CODE=WEIGHT" in ask(b"", "--priors=aa=0")[2]
    assert "'aa' is given twice" in ask(b"", "--priors=aa=1,aa=2")[2]
    code, (row,), message = ask(b"abba caba\na\xff\n")
    assert code == 2 and row["label"] == "aa"
    assert "line 2 is not UTF-8 (0xff at its byte 1)" in message
    assert ask(b"") == (0, [], "")
    assert "is for runs of forecasting" in ask(b"", "--horizon=3")[2]
    assert "No such file" in ask(b"", "--input=/none")[2]


def test_lines_are_not_kept_back_while_more_are_waited_for():
    read, write = os.pipe()
    with open(read, "rb") as file:
        batches = text_lines.batches(file, "pipe")
        os.write(write, b"one\r\ntwo\nthr")
        assert next(batches) == ["one", "two"]
        os.write(write, "ee\n\nfoü".encode())
        assert next(batches) == ["three", ""]
        os.close(write)
        assert list(batches) == [["foü"]]
    whole = io.BytesIO(b"one\ntwo\n")
    assert list(text_lines.batches(whole, "")) == [["one", "two"]]
    most = text_lines._LINES
    many = io.BytesIO(b"a\n" * (most + 1) + b"b" * (1 << 17))
    assert [len(b) for b in text_lines.batches(many, "")] == [most, 2]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"discriminative": 0.5}, "needs --config.model.shared"),
        ({"contenders": 1}, "contenders=1: must be at least 2"),
        ({"data__ends": "space"}, "did you mean 'spaces'"),
        ({"data__valid": 0.0, "best__metric": "valid_loss"}, "no validation part"),
        ({"margin": 2.0}, "must be from 0 to 1"),
    ],
)
def test_a_config_out_of_range_is_named(make, keys, message):
    with pytest.raises(UserError, match=message):
        make(**keys)


def test_a_text_shorter_than_a_window_is_told_before_training(make):
    task = make(data__window=400)
    with pytest.raises(UserError, match="800 are needed"):
        task.steps_per_epoch("train")


def test_rivals_are_others_and_mostly_the_nearest(make):
    task = make(True, discriminative=0.5, contenders=2)
    label = jnp.zeros(300, jnp.int32)
    rivals = np.asarray(task._rivals(label, jax.random.key(0)))
    assert rivals.shape == (1, 300) and set(rivals[0].tolist()) <= {1, 2}
    nearest = task._near[0][0]
    assert (rivals == nearest).mean() > 0.7  # u ** 3 < 1 / 2 in 79 of 100


def test_contamination_bounds_what_one_character_can_lose(make):
    plain, robust = make(True), make(True, contamination=0.01)
    params = parameters(plain)
    each = plain.trace(params, "abba жук")
    want = np.log(np.exp(each) + 0.01 * np.exp(each).max(axis=1, keepdims=True))
    np.testing.assert_allclose(robust.trace(params, "abba жук"), want, atol=1e-5)


def test_each_kind_of_lines_has_a_confusion_table(make, tmp_path):
    for kind in ("single-words", "sentences"):
        texts(tmp_path / "lines" / kind, {"aa": ["abba"], "cc": ["жук"]}, 3)
    task = make(data__test_path=str(tmp_path / "lines"))
    params, run = parameters(task), tmp_path / "run"
    run.mkdir()
    evaluated = task.evaluate(params, "test")
    assert {"test_accuracy_single_words", "test_accuracy_sentences"} <= set(evaluated.metrics)
    task.artifacts(params, evaluated, run)
    for name in ("confusion", "confusion_single_words", "confusion_sentences"):
        assert (run / "plots" / f"{name}.png").stat().st_size
        assert (run / f"{name}.csv").read_text().startswith("truth,aa,bb,cc\naa,")


def test_lines_to_test_on_are_left_out_where_their_folder_is_not_set(make, capsys, monkeypatch):
    monkeypatch.delenv("ZOO_NOWHERE", raising=False)
    task = make(data__test_path="$ZOO_NOWHERE/lines")
    assert task.lines == {}
    assert "note: $ZOO_NOWHERE is not set" in capsys.readouterr().err
    with pytest.raises(UserError, match="no such folder"):
        make(data__test_path="/none").describe_data()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("window", [4, 5, 150])
def test_the_validation_loss_reads_every_character_once(make, shared, window):
    task = make(shared, data__window=5, ensemble__members=2, ensemble__backward=True)
    task.config.data.window = window  # 150 is more than a text has
    params, n = parameters(task), len(task.codes)
    losses = np.zeros((n, task.members))
    for k, text in enumerate(task.parts["valid"]):
        width = min(window, len(text))
        assert len(text) % 4 or len(text) % 5  # the last window is not whole
        for member in range(task.members):
            back = -1 if (member if shared else member // n) % 2 else 1
            for start in range(0, len(text), width):
                begin = min(start, len(text) - width)
                each = log_p(task, params, text[begin : begin + width][::back], k, member)[::back]
                losses[k, member] -= sum(each[start - begin :]) / len(text)
    want = losses.mean(axis=0) if shared else [losses[m % n, m] for m in range(task.members)]
    got = task.evaluate(params, "valid").metrics["valid_loss"]
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_what_evaluation_needs_is_checked_before_training(tmp_path, capsys):
    folder_, run = texts(tmp_path / "texts"), tmp_path / "run"
    args = [f"--config={CONFIG}:english_french", f"--config.data.path={folder_}", f"--run={run}"]
    args += ["--config.data.languages=()", "--config.steps=4", "--config.ensemble.members=2"]
    args += ["--config.model.hidden=4", "--config.data.valid=0.2", "--config.baselines=none"]

    def error(*more):
        assert cli.run(train.main, ["train.py", *args, *more]) == 2
        assert not run.exists()
        return capsys.readouterr().err

    assert "languages 'udrh' is unknown: did you mean 'udhr'?" in error(
        "--config.data.test_on=udrh"
    )
    assert "test_path=/none: no such folder" in error("--config.data.test_path=/none")
    (tmp_path / "empty").mkdir()
    assert "holds no lines" in error(f"--config.data.test_path={tmp_path}/empty")
    assert "priors: 'zz' is none of aa, bb, cc" in error("--config.priors=zz=2")
    assert "must be CODE=WEIGHT" in error("--config.priors=aa")
    assert cli.run(train.main, ["train.py", *args, "--config.priors=aa=3,bb=1"]) == 0
    assert folder.read_config(run).priors == "aa=3,bb=1"


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_held_out_text_shorter_than_the_shortest_strings_is_told(tmp_path, make, part):
    few = {"aa": ["abba"], "bb": ["dodo"]}
    parts = {"data__valid": 0.0, "data__test": 0.0, f"data__{part}": 0.04}
    short = make(data__path=str(texts(tmp_path / "few", few, 30)), **parts)
    with pytest.raises(UserError, match=f"the {part} text of 'aa' has 4 characters; 5 are needed"):
        short.describe_data()


def test_the_temperature_is_1_where_nothing_can_be_cut(make):
    task = make()
    assert evaluation.temperature(task, parameters(task), ["abba", "dodo", "жук"]) == 1.0


def test_evaluating_a_run_again_gives_all_that_the_end_of_training_gives(make, tmp_path):
    config = make(True, ensemble__members=2, baselines="ngrams").config
    record = loop.fit(jobs.make(config), tmp_path / "run").record
    again = command.evaluate(tmp_path / "run")
    assert {"temperature", "test_calibration_error_20", "test_unknown"} <= again.keys()
    assert again == {key: record["metrics"][key] for key in again}
