"""What a forecast may be trained on."""

import jax.numpy as jnp

# Of the error of a forecast, one value at a time.
ERRORS = {
    "mse": jnp.square,
    "mae": jnp.abs,
    "huber": lambda e: jnp.where(jnp.abs(e) < 1, 0.5 * e * e, jnp.abs(e) - 0.5),
}
