"""Other language identifiers, where they are installed: n-gram models of scikit-learn on the same
text, and lingua and py3langid, which were trained on vastly more."""

from collections.abc import Callable, Sequence

import numpy as np

Scorer = Callable[[Sequence[str]], np.ndarray]


def ngrams(strings: Sequence[str], labels: np.ndarray) -> dict[str, Scorer]:
    """name -> strings to scores (n, languages), from models trained on strings (n,) and labels (n,)."""
    try:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.naive_bayes import MultinomialNB
    except ImportError:
        return {}

    def scorer(model, spread):
        counts = CountVectorizer(analyzer="char", ngram_range=spread, lowercase=False)
        model.fit(counts.fit_transform(strings), labels)

        def score(strings):
            table = counts.transform(strings)
            if hasattr(model, "predict_joint_log_proba"):
                return model.predict_joint_log_proba(table)
            values = model.decision_function(table)
            return np.stack([0 * values, values], axis=1) if values.ndim == 1 else values

        return score

    scorers = {"naive_bayes": scorer(MultinomialNB(alpha=0.1), (1, 4))}
    if len(set(labels.tolist())) == 2:
        scorers["logistic_regression"] = scorer(LogisticRegression(C=1.0, max_iter=500), (1, 5))
    return scorers


def installed(codes: Sequence[str]) -> dict[str, Scorer]:
    """name -> strings to scores (n, languages) of lingua and py3langid, among these languages only;
    {} for what is not installed or does not know all of them."""
    scorers = {}
    for name, make in (("lingua", _lingua), ("py3langid", _py3langid)):
        try:
            scorers[name] = make(codes)
        except (ImportError, AttributeError, KeyError, ValueError):
            continue
    return scorers


def _lingua(codes):
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    wanted = [getattr(IsoCode639_1, c.upper(), None) for c in codes]
    if None in wanted:
        raise KeyError(codes[wanted.index(None)])
    detector = LanguageDetectorBuilder.from_iso_codes_639_1(*wanted).build()

    def score(strings):
        rows = detector.compute_language_confidence_values_in_parallel(list(strings))
        each = [{v.language.iso_code_639_1: v.value for v in row} for row in rows]
        return np.array([[row[code] for code in wanted] for row in each])

    return score


def _py3langid(codes):
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    known = identifier.labels() if callable(identifier.labels) else identifier.labels
    names = ["no" if c == "nb" and c not in known else c for c in codes]
    identifier.set_languages(names)

    def score(strings):
        rows = [dict(identifier.rank(s)) for s in strings]
        return np.array([[row[name] for name in names] for row in rows])

    return score
