"""A forecaster of series, several at once where there are several."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import glorot_uniform, normal

from zoo.models import stack as stacked
from zoo.unroll import locked_dropout, stack

_LAYERS = 3000  # what the keys of their weight drop are drawn from the dropout key for


class Forecaster(stacked.Stacked, nn.Module):
    """Recurrent layers over a window of a series, and a linear head: its next ``horizon`` values.

    horizon:     H, values that come out at once
    length:      L, past values that go in
    patch:       values in a time step, L / patch steps; patch = L is the "window method", 1 feeds one
                 value after the other
    known:       K, features of every time that are known in advance (calendar, plans)
    series:      N, series that one model forecasts; used where embed > 0
    embed:       size of a learned vector a series, fed at every step; 0 for none
    center:      "last" takes the last value of the window from all of it, and adds it to what comes
                 out (Zeng et al. 2023, NLinear); "none" leaves it
    linear:      adds a linear autoregression of the window to the output (Lai et al. 2018, LSTNet)
    dropout:     locked dropout between layers; dropout_out on what the head reads
    weight_drop: DropConnect on each layer's recurrent matrix (Merity et al. 2018)
    activation, temporal: weights of the mean square of the last layer's output, and of its change from
                 step to step, among the "penalties" of a training step (Merity et al. 2017)
    precision:   "bfloat16" for products of that type in the layers of a training step (Micikevicius et al.
                 2018); parameters, sums and all else stay as they are
    """

    horizon: int
    length: int
    patch: int
    hidden: int
    layers: int = 1
    cell: str = "lstm"
    known: int = 0
    series: int = 1
    embed: int = 0
    center: str = "none"
    linear: bool = False
    dropout: float = 0.0
    dropout_out: float = 0.0
    weight_drop: float = 0.0
    activation: float = 0.0
    temporal: float = 0.0
    precision: str = "float32"

    def setup(self):
        self.stack = self._layers()
        read = self.hidden + self.horizon * self.known
        self.kernel = self.param("kernel", glorot_uniform(), (read, self.horizon))
        self.bias = self.param("bias", nn.initializers.zeros, (self.horizon,))
        if self.embed:
            self.embedding = self.param("embedding", normal(0.1), (self.series, self.embed))
        if self.linear:
            self.highway = self.param("highway", nn.initializers.zeros, (self.length, self.horizon))

    def __call__(
        self,
        window: Array,
        known: Array,
        series: Array,
        carry: Any = None,
        *,
        train: bool = False,
    ) -> tuple[Any, Array]:
        """window (B, L), known (B, L + H, K), series (B,) ints -> (carry, forecast (B, H)).

        ``known`` begins at the first time of the window. A step sees the features of the time after
        its patch; the head sees those of all H times to come.
        """
        level = window[:, -1:] if self.center == "last" else jnp.zeros_like(window[:, -1:])
        window = window - level
        xs = window.reshape(len(window), -1, self.patch).swapaxes(0, 1)
        parts = [xs]
        if self.known:
            parts.append(known[:, self.patch : self.length + 1 : self.patch].swapaxes(0, 1))
        if self.embed:
            vectors = self.embedding[series][None]
            parts.append(jnp.broadcast_to(vectors, (len(xs), *vectors.shape[1:])))
        drops = self.dropout or self.dropout_out or self.weight_drop
        key = self.make_rng("dropout") if train and drops else None
        xs = jnp.concatenate(parts, axis=-1) if len(parts) > 1 else xs
        layers = self.stack
        if key is not None:
            keys = [jax.random.fold_in(key, _LAYERS + i) for i in range(len(layers))]
            layers = [
                stacked.weight_drop(k, p, self.weight_drop)
                for k, p in zip(keys, layers, strict=True)
            ]
        if train:
            layers = self._in_training(layers)
        carry, ys = stack(self._cell, layers, xs, carry, dropout=self.dropout, key=key)
        if train:
            stacked.penalise(self, ys, ys)
        last = ys[-1:]
        if key is not None:
            last = locked_dropout(jax.random.fold_in(key, 2000), last, self.dropout_out)
        read = last[0]
        if self.known:
            ahead = known[:, self.length :].reshape(len(read), -1)
            read = jnp.concatenate([read, ahead], axis=-1)
        forecast = read @ self.kernel + self.bias[None]
        if self.linear:
            forecast += window @ self.highway
        return carry, forecast + level

    @nn.nowrap
    def _sizes(self):
        return [self.patch + self.known + self.embed] + [self.hidden] * self.layers
