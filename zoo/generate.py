"""Sampling from a model of sequences, the whole loop on the device."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax


def restrict(logits: Array, temperature: Array, top_k: Array, top_p: Array) -> Array:
    """Logits (B, V) sharpened and cut; what is cut is -inf.

    temperature: divides the logits; 0 leaves the most probable symbol alone.
    top_k:       keeps the k most probable symbols; 0 keeps all.
    top_p:       keeps the fewest most probable symbols whose probabilities sum to at least top_p, in
                 (0, 1] (nucleus sampling; Holtzman et al. 2020), after top_k and temperature.
    All three may be traced.
    """
    V = logits.shape[-1]
    order = jnp.argsort(-logits, axis=-1, stable=True)
    rank = jnp.argsort(order, axis=-1)
    k = jnp.where(temperature == 0, 1, jnp.where(top_k == 0, V, top_k))
    logits = logits / jnp.where(temperature == 0, 1, temperature)
    logits = jnp.where(rank < k, logits, -jnp.inf)
    ranked = jax.nn.softmax(jnp.take_along_axis(logits, order, axis=-1))
    before = jnp.cumsum(ranked, axis=-1) - ranked
    inside = (before < top_p).at[:, 0].set(True)
    return jnp.where(jnp.take_along_axis(inside, rank, axis=-1), logits, -jnp.inf)


def generate(
    apply: Callable[[Array, Any], tuple[Any, Array]],
    carry: Any,
    logits: Array,
    key: Array,
    length: int,
    *,
    temperature: Array | float = 1.0,
    top_k: Array | int = 0,
    top_p: Array | float = 1.0,
) -> Array:
    """Draws ``length`` symbols after a prompt -> tokens (B, length).

    apply:  (tokens (B,), carry) -> (carry, logits (B, V)): one step of the model
    carry:  the model's state after the prompt, logits (B, V) its last output
    key:    sample b of step t is drawn with fold_in(fold_in(key, b), t), so it does not depend on B

    A symbol that must not be drawn gets logits of -inf in ``apply`` and in ``logits``.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(logits.shape[0]))
    temperature, top_p = jnp.float32(temperature), jnp.float32(top_p)
    top_k = jnp.int32(top_k)

    def one(state, t):
        carry, logits = state
        cut = restrict(logits, temperature, top_k, top_p)
        at = jax.vmap(jax.random.fold_in, (0, None))(keys, t)
        tokens = jax.vmap(jax.random.categorical)(at, cut).astype(jnp.int32)
        return apply(tokens, carry), tokens

    _, tokens = lax.scan(one, (carry, logits), jnp.arange(length))
    return tokens.T
