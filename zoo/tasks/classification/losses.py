"""What a batch of texts costs: by its labels, under changes of its embedding, by the words it foretells."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax
from ml_collections import ConfigDict

from zoo.models import Classifier
from zoo.models.softmax import draw
from zoo.models.stack import penalised
from zoo.tasks.protocol import Sum

_NEAR = 0.1  # of the size of a change: how far from a text its virtual direction is looked for
_DIRECTION, _NEGATIVES = 5000, 6000  # what their keys are drawn from the dropout key for


def labelled(
    config: ConfigDict,
    model: Classifier,
    params,
    tokens: Array,
    batch: dict[str, Array],
    key: Array,
) -> Sum:
    """The cross-entropy of the labels, in nats a text, over tokens (B, T) and a batch of lengths, labels
    and weights (B,).

    With ``adversarial.size`` the loss is taken of the embedded texts moved by it too, where that is worst:
    for their labels (Miyato et al. 2017), and for the answers given before (virtual). The size is a share
    of the norm of the embedded text. Dropout masks are the same in all of them.
    """
    options = {"train": True, "rngs": {"dropout": key}}
    lengths, labels, weights = batch["lengths"], batch["labels"], batch["weights"]

    def log_p(params, xs):
        scores = model.apply(params, xs, lengths, method="of_vectors", **options)
        return jax.nn.log_softmax(scores)

    def nats(log_p):
        chosen = jnp.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]
        each = -(1 - config.smoothing) * chosen - config.smoothing * jnp.mean(log_p, axis=1)
        return jnp.sum(each * weights)

    xs = model.apply(params, tokens, method="vectors", **options)
    scores, penalty = penalised(model, params, xs, lengths, method="of_vectors", **options)
    plain = jax.nn.log_softmax(scores)
    total, change = nats(plain), config.adversarial
    if model.activation or model.temporal:
        total += penalty * jnp.sum(weights)
    if change.size:
        fixed, here = lax.stop_gradient((params, xs))
        within = (jnp.arange(len(xs))[:, None] < lengths[None])[..., None]

        def sized(direction, size):
            direction, norm = jnp.where(within, direction, 0), _norm(jnp.where(within, here, 0))
            return direction * size * norm / jnp.maximum(_norm(direction), 1e-12)

        def worst(cost, start):
            gradient = jax.grad(lambda xs: cost(log_p(fixed, xs)))(here + start)
            return lax.stop_gradient(sized(gradient, change.size))

        if change.weight:
            moved = xs + worst(nats, 0.0)
            total += change.weight * nats(log_p(params, moved))
        if change.virtual:
            answers = lax.stop_gradient(plain)

            def divergence(log_q):
                each = jnp.sum(jnp.exp(answers) * (answers - log_q), axis=1)
                return jnp.sum(each * weights)

            start = jax.random.normal(jax.random.fold_in(key, _DIRECTION), xs.shape, xs.dtype)
            moved = xs + worst(divergence, sized(start, _NEAR * change.size))
            total += change.virtual * divergence(log_p(params, moved))
    return Sum(total, jnp.sum(weights))


def together(sums: Sequence[Sum]) -> Sum:
    """The loss of models that train side by side: the sum of their means, weighed as the first is."""
    first, *others = sums
    means = [other.total / jnp.maximum(other.weight, 1) for other in others]
    return Sum(sum((mean * first.weight for mean in means), first.total), first.weight)


def foretold(
    model: Classifier,
    params,
    tokens: Array,
    batch: dict[str, Array],
    key: Array,
    drawn: tuple[Array, Array] | None,
) -> Sum:
    """The cross-entropy of the words of tokens (B, T) from those before, and from those after, in nats a
    word. ``drawn``: those of ``negatives`` that stand for all; None for all."""
    lengths = jnp.where(batch["there"], batch["lengths"], 0)
    options = {"train": True, "rngs": {"dropout": key}, "method": "language"}
    return Sum(*model.apply(params, tokens, lengths, drawn, **options))


def negatives(key: Array, chances: Array, count: int) -> tuple[Array, Array]:
    """What ``Classifier.language`` takes, drawn from the dropout key: see ``zoo.models.softmax.draw``."""
    return draw(jax.random.fold_in(key, _NEGATIVES), chances, jnp.cumsum(chances), count)


def _norm(xs):
    """Of each sequence of (T, B, E), (1, B, 1)."""
    return jnp.sqrt(jnp.sum(xs**2, axis=(0, 2), keepdims=True))
