"""What stands beside the loss of a model: n-gram models of the same symbols, and the model in other uses.

A model that has not learned more than counting has lost, and people should see it.
"""

from functools import cache

import numpy as np
from ml_collections import ConfigDict

from zoo.models import LanguageModel
from zoo.tasks.language_model import dynamic, evaluation, mixture

CHOSEN = -1  # an order of the n-gram model that is chosen on the training part
# The order that is mixed with a network where none is given, longer than what is best for counting alone:
# long contexts say what a network does not know (docs/choices.md).
_MIXED = 10


def losses(
    model: LanguageModel,
    params,
    tokens: dict[str, np.ndarray],
    split: str,
    config: ConfigDict,
    vocab: int,
) -> dict[str, float]:
    """Nats a symbol of a split, each given all before it, by name; ``tokens`` are the ids (N,) of the
    splits, in the order of the text.

    kneser_ney:          of an n-gram model of the training part, where ``config.kneser_ney`` is not 0
    mixed, mixed_share:  of a mean of the model's probabilities and those of an n-gram model, whose order is
                         ``mixed_order``; and the share of the latter; where ``config.mix``
    dynamic:             of the model with parameters that follow the text, where ``config.dynamic``, and
    adaptive_kneser_ney: of an n-gram model that goes on counting
    """
    from zoo.tasks import adaptive_kneser_ney, kneser_ney

    if not (config.kneser_ney or config.dynamic):
        return {}
    order, train, found = config.kneser_ney, tokens["train"], {}
    chosen = config.dynamic or order == CHOSEN
    best = kneser_ney.best_order(train, vocab) if chosen else order
    past = evaluation.past(tokens, split)

    @cache
    def fitted(order):
        return kneser_ney.fit(train, order, vocab)

    def counted(order):
        return -kneser_ney.log_p(fitted(order), past, tokens[split])

    if order:
        found["kneser_ney"] = float(np.mean(counted(best if order == CHOSEN else order)))
    if config.mix:
        own = evaluation.nats(model, params, tokens, split)
        nats = counted(mixed_order(config))[-len(own) :]
        found["mixed"], found["mixed_share"] = mixture.loss(own, nats)
    if config.dynamic:
        reader = dynamic.Reader(model, params, int(past[0]), train, dynamic.Settings())
        reader.follow(past[1:], True)
        found["dynamic"] = float(np.mean(reader.follow(tokens[split], False)))
        counting = adaptive_kneser_ney.Reader(fitted(best), past)
        found["adaptive_kneser_ney"] = float(-np.mean(counting.log_p(tokens[split])))
    return found


def mixed_order(config: ConfigDict) -> int:
    """That of the n-gram model that is mixed with a network."""
    return config.kneser_ney if config.kneser_ney > 0 else _MIXED


def words(metrics: dict[str, float], unit: str) -> str:
    """What a person should know of the losses of a model and of what stands beside it; "" for nothing."""
    split = "test" if "test_kneser_ney_loss" in metrics else "valid"
    counting = metrics.get(f"{split}_kneser_ney_loss")
    if counting is None:
        return ""
    own = metrics[f"{split}_loss"]
    lines = [("this network", own), ("counting, by a Kneser-Ney model", counting)]
    if (mixed := metrics.get(f"{split}_mixed_loss")) is not None:
        share = metrics[f"{split}_mixed_share"]
        lines.append((f"both, {share:.0%} of the latter", mixed))
    text = [f"{unit}, {split} part; less is better"]
    text += [f"  {name:<32}{loss:.4f}" for name, loss in lines]
    if own >= counting:
        text.append(
            "This network says less of the text than counting does: a longer text or a longer training "
            "would help."
        )
    return "\n".join(text)
