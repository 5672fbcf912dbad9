"""A Kneser-Ney model of the same symbols, for comparison."""

import numpy as np


def loss(tokens: dict[str, np.ndarray], split: str, order: int, vocab: int) -> float:
    """Nats a symbol of a split, each given all before it, of a model of the training part's n-grams up to
    ``order``; ``tokens`` are the ids (N,) of the splits, in the order of the text."""
    from zoo.tasks import kneser_ney

    model = kneser_ney.fit(tokens["train"], order, vocab)
    before = list(tokens)[: list(tokens).index(split)]
    history = np.concatenate([tokens[name] for name in before])
    return float(-np.mean(kneser_ney.log_p(model, history, tokens[split])))
