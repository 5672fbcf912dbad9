"""Which parameters are kept as the best."""

import jax.numpy as jnp
import numpy as np
import pytest

from zoo import config as configs
from zoo.runs.state import Best, TrainState
from zoo.train.best import judge


@pytest.mark.parametrize(
    ("mode", "slack", "values", "kept"),
    [
        ("min", 0.0, [3.0, 2.0, 2.1, 2.0, 1.9, 2.5], 4),
        ("min", 0.1, [3.0, 2.0, 2.1, 2.19, 2.3, 2.18], 5),  # within a tenth of 2.0
        ("min", 0.1, [3.0, 2.0, 2.1, 1.8, 2.0, 1.97], 5),  # within a tenth of 1.8
        ("max", 0.0, [0.5, 0.9, 0.89, 0.9], 1),
        ("max", 0.1, [0.5, 0.9, 0.82, 0.8], 2),
    ],
)
def test_of_parameters_that_are_about_as_good_the_latest_are_kept(mode, slack, values, kept):
    c = configs.base()
    c.best.update({"metric": "valid", "mode": mode, "slack": slack})
    worst = np.inf if mode == "min" else -np.inf
    # a bank of two, of which the second sees the same turned around: it must not matter to the first
    two = jnp.zeros(2, jnp.int32)
    best = Best(jnp.full(2, worst, jnp.float32), two, two, jnp.zeros((2, 1)))
    state = TrainState(0, jnp.zeros((2, 1)), (), (), best, ())
    for i, value in enumerate(values):
        state = state._replace(step=jnp.int32(i), params=jnp.full((2, 1), float(i)))
        each = [value, values[-1 - i]]
        state = judge(state, {"valid": np.mean(each), "valid_each": each}, c)
    assert (int(state.best.step[0]), float(state.best.params[0, 0])) == (kept, kept)
    first = (np.argmin if mode == "min" else np.argmax)(values)
    assert float(state.best.value[0]) == pytest.approx(values[first])
    assert int(state.best.waited[0]) == len(values) - 1 - first
