"""Scores, shares, tables and baselines of the classification task, on made-up answers."""

import csv

import numpy as np
import pytest

from zoo.data.text import labelled
from zoo.tasks.classification import baselines, curve, evaluation, show


def test_measures_are_those_of_hand_made_tables():
    log_p = np.log([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    got = evaluation.metrics(log_p, np.array([0, 0, 1, -1]))
    assert got["accuracy"] == 0.5
    assert got["loss"] == pytest.approx(-np.log([0.7, 0.4, 0.8]).mean())
    f1 = [2 * 1 / (1 + 2), 2 * 1 / (2 + 1), 0.0]
    assert got["macro_f1"] == pytest.approx(np.mean(f1))


def test_the_temperature_is_the_one_of_the_lowest_loss():
    random = np.random.default_rng(0)
    scores = random.normal(size=(400, 3))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = np.array([random.choice(3, p=row) for row in p])
    sure = evaluation.mixed(np.log(p)[None, None] * 4)
    found = evaluation.temperature(sure, labels)
    assert 3 < found < 5.5

    def loss(at):
        return evaluation.metrics(evaluation.mixed(sure[None, None], at), labels)["loss"]

    assert loss(found) <= min(loss(found * 1.05), loss(found / 1.05))
    assert evaluation.fitted(sure[None, None], labels) == (found, 0.0)
    assert evaluation.fitted(sure[None, None, :0], labels[:0]) == (1.0, 0.0)


def test_the_share_of_a_second_model_is_the_one_of_the_lowest_loss():
    random = np.random.default_rng(0)
    scores = random.normal(size=(2, 2, 600, 3)) * np.array([1.0, 2.0])[:, None, None, None]
    each = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    true = 0.8 * evaluation.mixed(each[:1]) + 0.2 * evaluation.mixed(each[1:])
    p = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    labels = np.array([random.choice(3, p=row) for row in p])
    temperature, share = evaluation.fitted(each, labels)
    assert 0.1 < share < 0.3

    def loss(share):
        return evaluation.metrics(evaluation.mixed(each, temperature, share), labels)["loss"]

    assert loss(share) <= min(loss(share * 1.05), loss(share / 1.05))


def test_what_a_run_of_very_many_classes_shows_stays_small(tmp_path):
    random, classes = np.random.default_rng(0), [f"class {i}, $a long name$" for i in range(3000)]
    labels = random.integers(-1, 3000, 500)
    log_p = np.full((500, 3000), -8.0)
    log_p[np.arange(500), np.where(random.random(500) < 0.5, labels, 7)] = -1.0
    names = tuple(classes[i] if i >= 0 else "new" for i in labels)
    test = labelled.Labelled(("a text",) * 500, names)
    metrics = {"test_accuracy": 0.5, "test_macro_f1": 0.5, "test_ece": 0.1}
    show.write(tmp_path, show.Answers(classes, test, labels, log_p), metrics)
    summary = (tmp_path / "summary.txt").read_text().splitlines()
    assert "the 200 classes of lowest F1:" in summary and len(summary) < 220
    assert sum(f.stat().st_size for f in tmp_path.rglob("*.*") if f.is_file()) < 500_000
    rows = list(csv.reader((tmp_path / "confusion.csv").read_text().splitlines()))[1:]
    assert sum(int(n) for _, _, n in rows) == (labels >= 0).sum()
    many = np.arange(baselines.MOST + 1)
    assert baselines.scores(["a"] * len(many), many, ["a"], many[:1]) == {}


def test_members_of_a_curve_learn_from_ever_fewer_texts_of_each_class():
    random = np.random.default_rng(0)
    labels, bucket = random.integers(0, 3, 200), random.integers(0, 4, 200)
    rows, sizes = curve.rows(labels, bucket, 4, seed=0), curve.sizes(labels, 4)
    assert rows.shape == (4, 200) and sizes[0] == 200
    np.testing.assert_array_equal(rows[0], np.arange(200))
    for k in range(1, 4):
        assert set(rows[k]) <= set(rows[k - 1]) and len(set(rows[k])) == sizes[k]
        assert sizes[k] == sum(-(-n // 2**k) for n in np.bincount(labels))
        assert set(labels[rows[k]]) == {0, 1, 2}
        assert (bucket[rows[k]] <= np.maximum(bucket, bucket[rows[k]].min())).all()


def test_baselines_answer_the_same_texts():
    pytest.importorskip("sklearn")
    random = np.random.default_rng(0)
    labels = np.array([0, 1] * 30)
    words = ["apple", "pear", "plum"], ["hammer", "saw", "drill"]
    texts = [" ".join(["the", *random.choice(words[label], 2)]) for label in labels]
    scores = baselines.scores(texts[:40], labels[:40], texts[40:], labels[40:])
    assert set(scores) == {f"{n}_{k}" for n in baselines.NAMES for k in ("accuracy", "seconds")}
    assert min(scores[f"{name}_accuracy"] for name in baselines.NAMES) > 0.9
