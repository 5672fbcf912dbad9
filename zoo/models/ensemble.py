"""Several language models as one: the mean of their probabilities."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import PartitionSpec as P

from zoo.models import stack
from zoo.models.language_model import LanguageModel
from zoo.unroll import automatic


def joined(params: list[Any]) -> Any:
    """The params of an Ensemble of models that were trained apart."""
    return {"params": {f"members_{i}": one["params"] for i, one in enumerate(params)}}


def penalised(model, params, *given, rngs, **options):
    """``stack.penalised`` of a language model in training, by its method "nats".

    Within ``batch_over`` the devices share the models of an Ensemble instead of the sequences, where their
    number divides that of the models: each reads all sequences with models of its own. The numbers are
    those of one device, up to rounding.
    """
    mesh, axes, devices = automatic.sharing()
    if not isinstance(model, Ensemble) or devices == 1 or model.size % devices:
        return stack.penalised(model, params, *given, rngs=rngs, method="nats", **options)
    return _shared(model, params, *given, rngs=rngs, over=(mesh, axes), **options)


def _shared(model, params, tokens, targets, carry, *, rngs, over, train, **options):
    mesh, axes = over
    # The keys that the models make for themselves where there is one device.
    keys = model.apply(
        params, method=lambda m: [one.make_rng("dropout") for one in m.members], rngs=rngs
    )
    names = [f"members_{i}" for i in range(model.size)]
    each = [params["params"][name] for name in names], keys, carry or [None] * model.size

    def one(params, key, carry, tokens, targets, options):
        given = {"params": params}, tokens, targets, carry
        (after, nats), penalty = stack.penalised(
            model.member(), *given, method="nats", train=train, key=key, **options
        )
        return after, nats, jnp.asarray(penalty, nats.dtype)

    def own(each, *rest):
        with automatic.batch_over(mesh, ()):
            return _together([one(*_part(each, i), *rest) for i in range(model.size // mesh.size)])

    found = jax.shard_map(
        own, mesh=mesh, in_specs=(P(axes), P(), P(), P()), out_specs=P(axes), check_vma=False
    )(tuple(map(_together, each)), tokens, targets, options)
    carries, nats, penalties = zip(*(_part(found, i) for i in range(model.size)), strict=True)
    return (carries, sum(nats) / model.size), sum(penalties)


def _together(trees):
    """The trees as one, with an axis for them before the others."""
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)


def _part(tree, i):
    return jax.tree.map(lambda a: a[i], tree)


class Ensemble(nn.Module):
    """``size`` models of one shape, each with first values and dropout of its own.

    In training each has its own loss, and the mean of them is the loss. Otherwise the probability of a
    symbol is the mean of theirs. The methods are those of ``LanguageModel``; a carry has one entry a model,
    and logits are log probabilities.
    """

    model: LanguageModel
    size: int

    def setup(self):
        self.members = [self.member() for _ in range(self.size)]

    @nn.nowrap
    def member(self) -> LanguageModel:
        """One of the models, with its share of the penalties."""
        m = self.model
        share = {"activation": m.activation / self.size, "temporal": m.temporal / self.size}
        return m.copy(parent=None, name=None, **share)

    @nn.nowrap
    def carry(self, batch: int) -> tuple[Any, ...]:
        """The zero carry of each model for ``batch`` sequences."""
        return (self.model.carry(batch),) * self.size

    @property
    def activation(self) -> float:
        """The weight that each model has, divided by the number of them."""
        return self.model.activation

    @property
    def temporal(self) -> float:
        """The weight that each model has, divided by the number of them."""
        return self.model.temporal

    def __call__(self, tokens: Array, carry: Any = None, *rest, **options) -> tuple[Any, Array]:
        """tokens (B, T) ints -> (carry, log probabilities (B, T, V))."""
        return self._logits(carry, lambda m, carry: m(tokens, carry, *rest, **options))

    def nats(
        self,
        tokens: Array,
        targets: Array,
        carry: Any = None,
        *rest: Array | None,
        train: bool = False,
        **options: Any,
    ) -> tuple[Any, Array]:
        """-log P of each target (B, T): of the mean probability, in training the mean of what each says."""
        carry, nats = self._each(
            carry, lambda m, carry: m.nats(tokens, targets, carry, *rest, train=train, **options)
        )
        return carry, sum(nats) / self.size if train else -self._mean([-n for n in nats])

    def after(self, tokens: Array, carry: Any) -> tuple[Any, Array]:
        """(carry, log probabilities (B, V)) after the last of tokens (B, T), T 1 or more."""
        return self._logits(carry, lambda m, carry: m.after(tokens, carry))

    def table(self) -> tuple[Array | None, ...]:
        """The table of each model."""
        return tuple(m.table() for m in self.members)

    def step(self, tokens: Array, carry: Any, table: Any) -> tuple[Any, Array]:
        """One symbol further: tokens (B,), carry -> (carry, log probabilities (B, V))."""
        with_tables = tuple(zip(carry, table, strict=True))
        return self._logits(with_tables, lambda m, at: m.step(tokens, *at))

    def _each(self, carry, read):
        """What ``read`` gives for each model and its carry: (their carries, the other halves)."""
        carries = (None,) * self.size if carry is None else carry
        each = [read(m, c) for m, c in zip(self.members, carries, strict=True)]
        return tuple(after for after, _ in each), [found for _, found in each]

    def _logits(self, carry, read):
        carry, logits = self._each(carry, read)
        return carry, self._mean([jax.nn.log_softmax(one) for one in logits])

    def _mean(self, log_p):
        return jax.nn.logsumexp(jnp.stack(log_p), axis=0) - math.log(self.size)
