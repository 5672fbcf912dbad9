"""A linear support vector machine on words and pairs of words: the classifier to beat.

From scikit-learn (the extra "baselines"), with its own defaults.
"""

from collections.abc import Callable, Sequence

import numpy as np


def learned(train: Sequence[str], labels: Sequence) -> Callable[[Sequence[str]], np.ndarray] | None:
    """A linear SVM on TF-IDF of words and pairs, their counts as logarithms, which has learned: texts ->
    their labels. None where scikit-learn is not installed."""
    if not installed():
        return None
    from sklearn.svm import LinearSVC

    words = tfidf()
    machine = LinearSVC().fit(words.fit_transform(train), labels)
    return lambda texts: machine.predict(words.transform(texts))


def installed() -> bool:
    """Whether scikit-learn is."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return False
    return True


def tfidf():
    """What makes features of texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
