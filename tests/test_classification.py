"""The classification task: its splits, its loss, what it shows, its predictions."""

import csv
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import train
from zoo import cli, predict, tasks
from zoo import config as configs
from zoo.bench import command
from zoo.data.errors import DataError
from zoo.data.text import labelled
from zoo.errors import UserError
from zoo.runs import load
from zoo.tasks.classification import evaluation, looks, losses, show

ROOT = Path(__file__).parent.parent
CONFIG = str(ROOT / "configs/text_classifier.py")
WORDS = {"fruit": ["apple", "pear", "plum"], "tools": ["hammer", "saw", "drill"]}


def sentence(random, label):
    words = [*random.choice(WORDS[label], 2), *random.choice(["the", "a", "old", "new"], 3)]
    return " ".join(random.permutation(words)[: random.integers(3, 6)])


@pytest.fixture
def config(tmp_path):
    random = np.random.default_rng(0)
    rows = [(sentence(random, label), label) for label in list(WORDS) * 40]
    with open(tmp_path / "texts.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    c = configs.load(CONFIG)
    c.data.update({"path": str(tmp_path / "texts.csv"), "buckets": 2, "min_count": 1})
    c.model.update({"embed": 4, "hidden": 4, "dropout_in": 0.0, "dropout_out": 0.0})
    c.model.update({"embed_drop": 0.0, "pool": "max"})
    c.batch_size, c.epochs, c.ensemble.members = 8, 20.0, 1
    return c


def test_the_splits_hold_every_row_once_and_the_test_rows_choose_nothing(config):
    task = tasks.make(config)
    record = task.describe_data()
    assert record["texts"] == {"train": 58, "valid": 6, "test": 16}
    assert record["classes"] == 2 and record["padding"] < 0.2
    config.seed = 1
    other = tasks.make(config)
    assert other.texts["test"] == task.texts["test"] and other.texts["valid"] != task.texts["valid"]
    config.data.split = "position"
    by_position = tasks.make(config)
    assert by_position.texts["test"].labels == ("fruit", "tools") * 8


def test_the_loss_is_the_mean_over_the_texts_of_an_epoch_whatever_the_buckets(config):
    task = tasks.make(config)
    params, key = task.init(jax.random.key(0)), jax.random.key(1)
    order, total, weight = task.order("train", 0), 0.0, 0.0
    for i in range(task.steps_per_epoch("train")):
        batch = task.gather(task.data("train"), task.indices(order, jnp.int32(i), 0))
        sums, _ = task.loss(params, (), batch, key)
        total += float(sums["loss"].total)
        weight += float(sums["loss"].weight)
    arrays = task._arrays["train"]
    log_p = task.log_p(params, arrays)
    want = -log_p[np.arange(58), arrays["labels"]].sum()
    assert weight == 58 and total == pytest.approx(want, rel=1e-5)


def test_a_step_reads_a_piece_of_each_text_and_an_answer_all_of_them(config):
    config.data.crop, config.data.buckets = 2, 1
    task = tasks.make(config)
    params, train = task.init(jax.random.key(0)), task._arrays["train"]
    order, firsts = task.order("train", 0), set()
    for i in range(task.steps_per_epoch("train")):
        indices = task.indices(order, jnp.int32(i), 0)
        batch = task.gather(task.data("train"), indices)
        for row, piece, length in zip(indices[0], batch["tokens"], batch["lengths"], strict=True):
            whole = train["tokens"][row][: train["lengths"][row]]
            at = [k for k in range(len(whole) - 1) if (whole[k : k + 2] == piece).all()]
            assert length == 2 and at
            firsts.update(at)
    assert {0, 1} < firsts

    log_p, text = task.log_p(params, train), train["tokens"][0][: train["lengths"][0]]
    parts, want = [text[k : k + 2] for k in range(0, len(text), 2)], 0.0
    for part in parts:
        scores = task.models["discriminative"].apply(params, part[None], jnp.array([len(part)]))
        want += np.asarray(jax.nn.log_softmax(scores))[0] * len(part) / len(text)
    np.testing.assert_allclose(log_p[0], want - np.logaddexp(*want), atol=1e-5)


def test_smoothing_and_balance_are_what_they_say(config):
    config.smoothing, config.balance = 0.1, True
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    batch = task.gather(task.data("train"), task.indices(task.order("train", 0), 0, 0))
    sums, _ = task.loss(params, (), batch, jax.random.key(1))
    scores = task.models["discriminative"].apply(params, batch["tokens"], batch["lengths"])
    log_p = np.asarray(jax.nn.log_softmax(scores))
    labels, weights = np.asarray(batch["labels"]), np.asarray(batch["weights"])
    nats = -0.9 * log_p[np.arange(8), labels] - 0.1 * log_p.mean(axis=1)
    assert float(sums["loss"].total) == pytest.approx((nats * weights).sum(), rel=1e-5)
    counts = np.bincount(task._arrays["train"]["labels"])
    np.testing.assert_allclose(task.data("train")["weights"][:5].max(), 58 / 2 / counts.min())


@pytest.mark.parametrize("members", [1, 2])
def test_a_run_learns_shows_and_predicts(config, tmp_path, capsys, members):
    run = tmp_path / "run"
    argv = ["train.py", f"--config={CONFIG}", f"--run={run}", "--config.batch_size=8"]
    settings = {
        "data.path": config.data.path, "data.buckets": 2, "data.min_count": 1, "model.embed": 4,
        "model.hidden": 4, "steps": 120, "eval_every": 60, "optimizer.learning_rate": 0.02,
        "ensemble.members": members, "optimizer.warmup_steps": 0, "pretrain.epochs": 0,
        "model.pool": "max", "model.embed_drop": 0.0, "model.dropout_out": 0.3,
    }  # fmt: skip
    argv += [f"--config.{key}={value}" for key, value in settings.items()]
    assert cli.run(train.main, argv) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["metrics"]["test_accuracy"] > 0.9
    assert "right class" in capsys.readouterr().out
    for name in ("summary.txt", "mistakes.txt", "confusion.csv", "plots/confusion.png"):
        assert (run / name).stat().st_size
    texts = ["the old apple", "a new hammer", "", "zzz qqq", "the old apple " * 5]
    (tmp_path / "in.txt").write_text("\n".join(texts) + "\n")
    with open(tmp_path / "in.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "text"), *enumerate(texts)])
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    answers = []
    for name in ("in.txt", "in.csv", "in.jsonl"):
        assert cli.run(predict.main, ["predict", f"--run={run}", f"--input={tmp_path / name}"]) == 0
        answers.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert answers[0] == answers[1] == answers[2]
    assert [row["label"] for row in answers[0][:2]] == ["fruit", "tools"]
    assert [row.get("known", True) for row in answers[0]] == [True, True, False, False, True]
    assert [row.get("cut", False) for row in answers[0]] == [False] * 4 + [True]
    assert sum(answers[0][2]["probabilities"].values()) == pytest.approx(1)
    argv = ["bench", "predict", f"--run={run}", "--lines=3", "--rounds=1"]
    assert cli.run(command.main, argv) == 0
    table = capsys.readouterr().out
    assert "`zoo.bench predict texts` | this model" in table and " texts a second | 1 |" in table


def rows_file(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


def run_command(run, **settings):
    """Trains three steps of a tiny model and returns the metrics."""
    settings = {
        "steps": 3, "eval_every": 3, "model.embed": 4, "model.hidden": 4, "data.buckets": 2,
        "data.min_count": 1, "baselines": False, "ensemble.members": 1,
    } | settings  # fmt: skip
    argv = ["train.py", f"--config={CONFIG}", f"--run={run}"]
    argv += [f"--config.{key}={value}" for key, value in settings.items()]
    assert cli.run(train.main, argv) == 0
    return json.loads((run / "result.json").read_text())["metrics"]


def test_a_bank_of_generative_classifiers_and_batches_larger_than_the_data(config, tmp_path):
    settings = {"data.path": config.data.path, "objective": "generative", "ensemble.members": 2}
    metrics = run_command(tmp_path / "run", batch_size=100, **settings)
    assert 0 <= metrics["test_accuracy"] <= 1


def test_a_mixture_trains_both_models_and_weighs_them_by_the_validation_texts(config, tmp_path):
    settings = {"data.path": config.data.path, "objective": "mixture", "pretrain.epochs": 1}
    run = tmp_path / "run"
    settings |= {"model.dropout_in": 0.0, "model.embed_drop": 0.0, "model.dropout_out": 0.0}
    run_command(run, **settings, batch_size=20, **{"pretrain.discriminate": 0.5, "steps": 30})
    loaded = load.load(run)
    task, params = loaded.task, loaded.params
    record = json.loads((run / "classes.json").read_text())
    assert (
        record["share"] == task.share
        and 0 < task.share < 1
        and set(params) == {"discriminative", "generative"}
    )
    texts = ["the old apple", "a new hammer"]
    each = evaluation.log_p(task, params, task.padded(texts))[:, 0]
    scores = ((1 - task.share) * each[0] + task.share * each[1]) / task.temperature
    want = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = [row["probabilities"] for row in task.posterior(params, texts)]
    np.testing.assert_allclose([[r["fruit"], r["tools"]] for r in rows], want, rtol=1e-6)


def test_a_curve_of_classes_with_two_texts_tested_on_labels_that_training_lacks(tmp_path, capsys):
    rows = [(f"word{i} the {i}", f"class {i // 2}") for i in range(12)]
    settings = {"data.path": rows_file(tmp_path / "train.csv", rows), "curve": 3, "best.metric": ""}
    strange = [*rows, ("word1", "new"), ("word2", "newer")]
    test = rows_file(tmp_path / "test.csv", strange)
    run_command(tmp_path / "run", **settings, **{"data.test_path": test})
    said = capsys.readouterr().err
    assert "2 of 14 texts count as wrong, since training has no 'new', 'newer'" in said
    summary = (tmp_path / "run/summary.txt").read_text()
    assert "test: 14 texts of 6 classes" in summary and "never saw, and so wrong: 2" in summary


FAULTS = {
    "in.csv": ("id,texts\n1,a\n", "did you mean 'texts'?"),
    "empty.csv": ("", "the first line is empty; it must name the columns"),
    "latin.csv": (b"text\nok\ncaf\xe9\n", "line 3 is not UTF-8 (0xe9 at its byte 3)"),
    "latin.txt": (b"ok\ncaf\xe9\n", "line 2 is not UTF-8 (0xe9 at its byte 3)"),
    "wide.csv": ("text\na\n".encode("utf-16"), "line 1 is not UTF-8"),
    "zero.csv": ("text\na\0b\n", "line 2 is binary (0x00)"),
    "zero.txt": ("a\n\0\n", "line 2 is binary (0x00)"),
    "open.csv": ('text\na\n"b\nc\n', "line 3: unexpected end of data"),
    "ragged.csv": ("id,text\n1\n", "line 2: 1 fields"),
    "in.jsonl": ('{"text": 1}\n', "'text' is 1, must be a string"),
    "broken.jsonl": ("{\n", "line 1: not JSON"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_predictions_are_told_with_their_line(tmp_path, name):
    from zoo.tasks.classification.predict import _batches

    content, words = FAULTS[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        list(_batches(str(tmp_path / name), "text"))
    assert words in str(caught.value)


@pytest.mark.parametrize("content, texts", [
    ("", []), ("\na\n\n", ["", "a", ""]), ("\ufeffa\r\nb", ["a", "b"]),
])  # fmt: skip
def test_a_text_a_line_for_prediction(tmp_path, content, texts):
    from zoo.tasks.classification.predict import _batches

    (tmp_path / "in.txt").write_bytes(content.encode())
    assert [text for batch in _batches(str(tmp_path / "in.txt"), "text") for text in batch] == texts


@pytest.mark.parametrize("content, texts", [
    ("text\n", []), ('\ufefftext\r\n"a\r\nb"\r\n""\r\n', ["a\nb", ""]), ("text\ra\rb\r", ["a", "b"]),
    ('id,text\n1,"' + "word " * 40_000 + '"\n', ["word " * 40_000]),
])  # fmt: skip
def test_a_csv_file_for_prediction_is_read_as_one_for_training(tmp_path, content, texts):
    from zoo.tasks.classification.predict import _batches

    (tmp_path / "in.csv").write_bytes(content.encode())
    assert [text for batch in _batches(str(tmp_path / "in.csv"), "text") for text in batch] == texts


def test_a_folder_and_a_missing_file_are_no_input(tmp_path):
    from zoo.tasks.classification.predict import _batches

    for name, words in (("", "Is a directory: give one file"), ("none.csv", "No such file")):
        with pytest.raises(UserError, match=f"--input=.*{words}"):
            list(_batches(str(tmp_path / name), "text"))


def test_texts_that_are_cut_empty_or_left_out_are_said_and_counted(config, tmp_path, capsys):
    for label in ("x", "y"):
        (tmp_path / "texts" / label).mkdir(parents=True)
        for i, text in enumerate(["a b c", " ", "a b c d e f g", "b c a"] * 10):
            (tmp_path / "texts" / label / f"{i}.txt").write_text(text)
    (tmp_path / "texts/x/picture.png").write_bytes(b"\0\1")
    config.data.update({"path": str(tmp_path / "texts"), "limit": 5, "skip_unreadable": True})
    task = tasks.make(config)
    record, said = task.describe_data(), capsys.readouterr().err
    texts = task.texts["train"].texts
    assert record["cut"] == texts.count("a b c d e f g") and record["widths"][-1] == 5
    assert f"{record['cut']} of {len(texts)} texts have more than 5 symbols" in said
    assert record["empty"]["train"] == texts.count(" ") and sum(record["empty"].values()) == 20
    assert record["skipped"] == [str(tmp_path / "texts/x/picture.png")]
    assert "left out: '" + record["skipped"][0] in said
    assert max(array["tokens"].shape[1] for array in task._arrays.values()) == 5


def test_classes_too_small_for_a_validation_part_are_told_before_training(config, tmp_path, capsys):
    rows = [(f"text {i}", f"class {i // 2}") for i in range(20)] + [("alone", "of one text")]
    config.data.path = rows_file(tmp_path / "tiny.csv", rows)
    with pytest.raises(DataError, match=r"valid=0\.1: no class has texts enough.*best\.metric="):
        tasks.make(config).steps_per_epoch("train")
    config.best.metric = ""
    record = tasks.make(config).describe_data()
    assert record["texts"] == {"train": 21, "valid": 0, "test": 0} and record["classes"] == 11
    assert "no class has texts enough for a test part" in capsys.readouterr().err


def test_pretraining_that_leaves_no_epoch_for_the_classes_is_refused(config):
    config.pretrain.epochs, config.epochs = 3, 3.0
    with pytest.raises(UserError, match=r"pretrain\.epochs=3: training has 3 epochs of 8 steps"):
        tasks.make(config).phases()
    config.steps = 25
    assert tasks.make(config).phases() == (3,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.crop": 5, "curve": 2}, "--config.data.crop=5: not with --config.curve"),
        ({"data.test_seed": -1}, "--config.data.test_seed=-1"),
        ({"data.valid": 0.0}, "no validation part to choose by; add --config.best.metric="),
        (
            {"data.valid": 0.0, "best.metric": "", "target.metric": "valid_loss"},
            "no validation part to choose by; add --config.target.metric=",
        ),
        ({"objective": "generative", "smoothing": 0.1}, "add --config.smoothing=0"),
        ({"patience": 2, "pretrain.epochs": 1}, "add --config.pretrain.epochs=0"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(config, changes, message):
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError) as refused:
        tasks.make(config)
    assert message in str(refused.value)


@pytest.mark.parametrize("symbols", ["bytes", "characters"])
def test_stop_words_are_words(config, symbols):
    config.data.update({"stop_words": True, "symbols": symbols})
    with pytest.raises(UserError, match=f"stop_words: not of {symbols}; add .*symbols=words"):
        tasks.make(config)


def test_the_confusion_is_that_of_a_whole_table(tmp_path):
    random = np.random.default_rng(0)
    labels, log_p = random.integers(0, 4, 50), random.normal(size=(50, 4))
    answers = show.Answers(list("abcd"), labelled.Labelled((), ()), labels, log_p)
    table = np.zeros((4, 4), int)
    np.add.at(table, (labels, log_p.argmax(axis=1)), 1)
    rows = [[i, j, table[i, j]] for i, j in np.argwhere(table)]
    np.testing.assert_array_equal(show._pairs(answers), rows)


def test_one_class_is_refused_and_a_strange_label_in_the_test_part_is_said(
    config, tmp_path, capsys
):
    (tmp_path / "one.csv").write_text("text,label\n" + "a,x\n" * 20)
    config.data.path = str(tmp_path / "one.csv")
    with pytest.raises(DataError, match=r"one\.csv': all training texts are of one class, 'x'"):
        tasks.make(config).describe_data()
    (tmp_path / "train.csv").write_text("text,label\n" + "a b,x\nc d,y\n" * 20)
    (tmp_path / "test.csv").write_text("text,label\na b,x\nc,z\n")
    config.data.update(
        {"path": str(tmp_path / "train.csv"), "test_path": str(tmp_path / "test.csv")}
    )
    record = tasks.make(config).describe_data()
    assert "training has no 'z'" in capsys.readouterr().err
    assert record["test_texts_seen_in_training"] == 1


def batch_of(task, params, i=0):
    order = task.order("train", 0)
    return task.gather(task.data("train"), task.indices(order, jnp.int32(i), 0))


def test_a_change_of_the_embedding_is_as_large_as_asked_and_for_the_worse(config):
    task = tasks.make(config)
    params, key = task.init(jax.random.key(0)), jax.random.key(1)
    batch = batch_of(task, params)
    plain = task.loss(params, (), batch, key)[0]["loss"]
    costs = []
    for size in (0.01, 0.1, 1.0):
        config.adversarial.size = size
        both = task.loss(params, (), batch, key)[0]["loss"]
        costs.append(float(both.total - plain.total))
        assert both.weight == plain.weight
    assert float(plain.total) < costs[0] < costs[1] < costs[2]
    config.adversarial.update({"size": 0.1, "weight": 0.0, "virtual": 1.0})
    without_labels = task.loss(params, (), batch, key)[0]["loss"]
    assert 0 < float(without_labels.total - plain.total) < costs[1] - float(plain.total)

    moved = []

    class Spy:
        activation = temporal = 0.0

        def apply(self, params, given, *args, method, **options):
            if method == "of_vectors":
                moved.append(given)
            return task.model.apply(params, given, *args, method=method, **options)

    losses.labelled(config, Spy(), params, batch["tokens"][:, : task.widths[-1]], batch, key)
    xs, last = moved[0], moved[-1]
    within = (jnp.arange(len(xs))[:, None] < batch["lengths"][None])[..., None]
    norms = [jnp.sqrt(jnp.sum(jnp.where(within, a, 0) ** 2, (0, 2))) for a in (xs, last - xs)]
    np.testing.assert_allclose(norms[1] / norms[0], 0.1, rtol=1e-4)


def test_the_first_epochs_foretell_words_and_then_the_labels_are_learned(config):
    config.pretrain.update({"epochs": 2, "discriminate": 0.5})
    task = tasks.make(config)
    params, key = task.init(jax.random.key(0)), jax.random.key(1)
    data, gradients = task.data("train"), []
    for epoch in (1, 2):
        at = task.indices(task.order("train", epoch), jnp.int32(0), 0)
        batch = task.gather(data, at)

        def cost(params, batch=batch):
            return task.loss(params, (), batch, key)[0]["loss"].total

        gradients.append(jax.grad(cost)(params)["params"])
    for name in ("project", "symbol_bias", "kernel", "layer_0", "backward_0", "embedding"):
        used = [any(np.any(a) for a in jax.tree.leaves(g[name])) for g in gradients]
        want = [name not in ("kernel",), name not in ("project", "symbol_bias")]
        assert used == want, name
    assert task.phases() == (2,)
    factors = [
        task.rate_factor(f"params.{name}") for name in ("kernel", "layer_0.w_x", "embedding")
    ]
    assert factors == [1.0, 0.5, 0.25]


def test_a_generative_classifier_is_bayes_rule(config):
    config.objective, config.model.hidden = "generative", 4
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    params = jax.tree.map(
        lambda p: p + 0.3 * jax.random.normal(jax.random.key(p.size), p.shape), params
    )
    arrays = {k: v[:3] for k, v in task._arrays["test"].items()}
    got = task.log_p(params, arrays)
    for row, (tokens, length) in enumerate(zip(arrays["tokens"], arrays["lengths"], strict=True)):
        scores = np.log(task.prior)
        for label in range(2):
            given = np.concatenate([[0], tokens[: length - 1]])[None]
            _, logits = task.models["generative"].apply(
                params, jnp.asarray(given), None, jnp.array([label])
            )
            log_p = jax.nn.log_softmax(logits[0])
            scores[label] += sum(float(log_p[t, tokens[t]]) for t in range(length))
        want = scores - np.logaddexp(*scores)
        np.testing.assert_allclose(got[row], want, atol=1e-4)
    batch = batch_of(task, params)
    sums, _ = task.loss(params, (), batch, jax.random.key(1))
    assert float(sums["loss"].weight) == float(batch["lengths"].sum())


def test_stop_words_and_texts_that_stand_there_before_are_left_out(config, tmp_path):
    content = "The apple isn't here,x\nThe apple isn't here,y\na saw of steel,y\n" * 3
    (tmp_path / "stop.csv").write_text("text,label\n" + content)
    config.data.update({"path": str(tmp_path / "stop.csv"), "valid": 0.0, "test": 0.0})
    config.data.update({"stop_words": True, "drop_duplicates": True})
    config.best.metric = ""
    task = tasks.make(config)
    assert task.texts["train"].texts == ("The apple isn't here", "a saw of steel")
    assert [task.prepared(text) for text in task.texts["train"].texts] == ["apple", "saw steel"]


def test_the_influence_of_a_word_is_what_the_answer_loses_without_it(config):
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    params = jax.tree.map(lambda p: 3 * p, params)
    symbols, values, told = looks.influence(task, params, "the old apple")
    assert symbols == ["the", "old", "apple"]
    for i in range(3):
        changed = [*symbols[:i], "zzz", *symbols[i + 1 :]]
        pair = [
            task.posterior(params, [" ".join(t)])[0]["probabilities"][told]
            for t in (symbols, changed)
        ]
        assert values[i] == pytest.approx(np.log(pair[0]) - np.log(pair[1]), abs=1e-6)
