"""Losses that several tasks share."""

import jax
import jax.numpy as jnp
from jax import Array

# Of the error of a forecast, one value at a time.
ERRORS = {
    "mse": jnp.square,
    "mae": jnp.abs,
    "huber": lambda e: jnp.where(jnp.abs(e) < 1, 0.5 * e * e, jnp.abs(e) - 0.5),
}


def cross_entropy(logits: Array, labels: Array) -> Array:
    """-log softmax(logits)[label] in nats: logits (..., V), labels (...) ints -> (...)."""
    chosen = jnp.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - chosen
