"""Classifiers of words and pairs of words, on the same texts: what a recurrent model has to beat.

From scikit-learn (the extra "baselines"), with its own defaults but for more iterations.
"""

import time
from collections.abc import Sequence

import numpy as np

from zoo.tasks import svm

NAMES = {"svm": "TF-IDF + SVM", "nbsvm": "NB-SVM", "logistic": "logistic regression"}
MOST = 500  # classes


def scores(
    train: Sequence[str], labels: np.ndarray, test: Sequence[str], known: np.ndarray
) -> dict:
    """accuracy and seconds (learning and answering, one core) of each, by "NAME_accuracy" and
    "NAME_seconds"; {} where scikit-learn is not installed, and of more than ``MOST`` classes: each has
    machines of its own, with a weight for every pair of words.

    svm:      a linear support vector machine on TF-IDF of words and pairs, their counts as logarithms
    nbsvm:    the same on presence, scaled by naive Bayes log-count ratios (Wang & Manning 2012)
    logistic: logistic regression on the TF-IDF of svm

    labels (n,) are classes, and known (m,) too, -1 for one that training never saw.
    """
    if labels.max() >= MOST or not svm.installed():
        return {}
    found = {}
    for name, answer in (("svm", _svm), ("nbsvm", _nbsvm), ("logistic", _logistic)):
        began = time.perf_counter()
        told = answer(train, labels, test)
        found[f"{name}_accuracy"] = float(np.mean(told == known))
        found[f"{name}_seconds"] = round(time.perf_counter() - began, 3)
    return found


def _svm(train, labels, test):
    return svm.learned(train, labels)(test)


def _logistic(train, labels, test):
    from sklearn.linear_model import LogisticRegression

    words = svm.tfidf()
    machine = LogisticRegression(max_iter=1000).fit(words.fit_transform(train), labels)
    return machine.predict(words.transform(test))


def _nbsvm(train, labels, test):
    """One classifier a class against the rest, each with ratios of its own."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.svm import LinearSVC

    words = CountVectorizer(ngram_range=(1, 2), binary=True, dtype=np.float64)
    xs, zs = words.fit_transform(train), words.transform(test)
    total = np.asarray(xs.sum(axis=0))[0]
    answers = []
    for label in range(labels.max() + 1):
        mine = labels == label
        p = np.asarray(xs[mine].sum(axis=0))[0]
        q = total - p
        ratio = np.log((p + 1) / (p + 1).sum()) - np.log((q + 1) / (q + 1).sum())
        machine = LinearSVC(max_iter=5000).fit(xs.multiply(ratio).tocsr(), mine)
        answers.append(machine.decision_function(zs.multiply(ratio).tocsr()))
    return np.argmax(answers, axis=0)
