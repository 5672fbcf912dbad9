"""Forecasting: the next values of one or several series, by one model for all of them.

A window of ``model.length`` past values (transformed, differenced and scaled, ``zoo.data.series.frames``)
gives the next ``model.horizon``. Further ahead, the forecasts are read as if they were the past, block by
block: with model.horizon = 1 that is the recursive way, with model.horizon = horizon the direct one.

``ensemble.members`` models are a bank, trained from other initial values; their forecasts are averaged.
With ``ensemble.holdout`` each leaves out a random part of the training targets, and the errors on what
it has not seen make the prediction intervals (Xu & Xie 2021, EnbPI). Members may see the series in
several ways (``ensemble.differences``, ``ensemble.lengths``), which they take in turn: a combination of
forecasts, safer than the choice of one (Bates & Granger 1969).

With ``model.stateful`` the windows are read in order, and the state is kept from one to the next; it
is zeroed where an epoch, a series or a split begins.
"""

import sys
from functools import cached_property, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from ml_collections import ConfigDict

from zoo import random
from zoo.data.batches import cut, take
from zoo.data.series import frames, read
from zoo.data.series.table import Table, digest, first_rows, load_table, save_table
from zoo.models import Forecaster
from zoo.models.stack import penalised
from zoo.tasks.forecasting import combination, evaluation, limits
from zoo.tasks.forecasting.candidates import Stack
from zoo.tasks.forecasting.config import check, kinds
from zoo.tasks.forecasting.losses import ERRORS
from zoo.tasks.forecasting.refit import Refit
from zoo.tasks.protocol import Evaluation, Sum, Task

_BLOCK = 1024  # windows of the evaluation that are forecast at once


class ForecastingTask(Task):
    """The Task over a Forecaster; see ``zoo.tasks.protocol`` for what each method promises."""

    def __init__(self, config: ConfigDict):
        """The series are read when they are first needed. Raises UserError for keys out of range."""
        check(config)
        self.config = config
        self.stack = Stack(self) if config.ensemble.combine == "stacked" else None
        self.refit = Refit(self)
        self._made = None  # forecasts of training, and of which parameters

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "ForecastingTask":
        """The task of a run, with the series that it was trained on; nothing else is read."""
        task = cls(config)
        task.table = load_table(run / "series.npz")
        if task.stack:
            task.stack.combination = combination.load(run)
        return task

    @property
    def members(self) -> int:
        """Models that are trained side by side, those of the refit last; 0 for one alone."""
        n = self.config.ensemble.members + self.refit.members
        return n if n > 1 else 0

    @property
    def loss_unit(self) -> str:
        """What the loss is measured in."""
        return f"{self.config.loss}, scaled"

    @cached_property
    def table(self) -> Table:
        """The series."""
        d = self.config.data
        options = {"missing": d.missing, **self._columns()}
        table = self.read(d.path) if d.path else read.named(d.name, **options)
        return first_rows(table, d.rows) if d.rows else table

    def read(self, path: str) -> Table:
        """Series of the kind that this task is about, from another file."""
        return read.read_series(path, missing=self.config.data.missing, **self._columns())

    @property
    def frame(self) -> frames.Frame:
        """The first view's: what is the same in all views, and the scale of scores and intervals."""
        return self.views[0].frame

    @cached_property
    def views(self) -> list[frames.View]:
        """The series as the members see them. Raises UserError where one is too short."""
        views = self.views_of(self.table, self.config.horizon)
        frame = views[0].frame
        limits.check_lengths(self.config, self.table, views)
        for name, values, end in zip(self.table.names, self.table.values, frame.ends, strict=True):
            if np.ptp(values[: end[0]]) == 0:
                print(
                    f"warning: series {name!r} is constant in its training part: nothing can be "
                    "learned from it",
                    file=sys.stderr,
                )
        return views

    @cached_property
    def model(self) -> Forecaster:
        """The Flax module."""
        settings = self.config.model.to_dict()
        del settings["stateful"]
        return Forecaster(known=self.known, series=len(self.table.names), **settings)

    @property
    def known(self) -> int:
        """Features of every time that are known in advance."""
        return self.frame.known.shape[2]

    def describe_data(self):
        _ = self.views  # series that are too short are told now
        rows = {name: len(v) for name, v in zip(self.table.names, self.table.values, strict=True)}
        limits.note_holidays(self.table)
        return {
            "digest": digest(self.table),
            "rows": rows,
            "frequency": self.table.frequency.name,
        }

    def prepare(self, run):
        save_table(run / "series.npz", self.table)

    def init(self, key):
        return self.model.init(key, *self._example())

    def carry(self):
        c = self.config
        return self.model.carry(c.batch_size) if c.model.stateful else ()

    def steps_per_epoch(self, split):
        return -(-len(self.training_origins) // self.config.batch_size)

    def tokens_per_step(self):
        return self.config.batch_size * max(1, self.members)

    def data(self, split):
        origins, kept = self.training_origins, self._kept
        if self.refit.members:
            origins, kept = self.refit.origins, self.refit.kept(kept)
        new = np.append(True, origins[1:, 0] != origins[:-1, 0])
        data = self._arrays(self.views) | {"origins": origins, "new": new}
        return data if kept is None else data | {"kept": kept}

    def order(self, split, epoch):
        n, size = len(self.training_origins), self.config.batch_size
        order = jnp.arange(n, dtype=jnp.int32)
        if not self.config.model.stateful:
            order = jax.random.permutation(random.key(self.config.seed, "data", epoch), order)
        if self.refit.members:
            return self.refit.order(order, epoch)
        return jnp.concatenate([order, jnp.full(-n % size, n, jnp.int32)])

    def indices(self, order, i, member):
        size, member = self.config.batch_size, jnp.asarray(member)
        if self.refit.members:
            order = order[(member >= self.config.ensemble.members).astype(jnp.int32)]
        return lax.dynamic_slice(order, (i * size,), (size,)), member

    def gather(self, data, indices):
        """The rows of a batch; those past the last (an incomplete batch), and those that the member
        holds out, have no weight."""
        at, member = indices
        n, size, view = len(data["origins"]), self.config.batch_size, member % len(self.views)
        weight = jnp.ones(size)
        if n % size or self.refit.members:
            weight, at = (at < n).astype(jnp.float32), jnp.minimum(at, n - 1)
        batch = self._windows(data, take(data["origins"], at), view)
        if self.config.model.stateful:
            batch["new"] = take(data["new"], at)
        if "kept" in data:
            weight = weight * jnp.asarray(data["kept"])[member, at]
        return batch | {"weight": weight, "view": view}

    def loss(self, params, carry, batch, key):
        measure = ERRORS[self.config.loss]
        horizon = self.config.model.horizon
        window, target = batch["window"][:, :-horizon], batch["window"][:, -horizon:]
        if self.config.model.stateful:
            carry = _restart(carry, batch["new"])
        (after, forecast), penalty = penalised(
            self.model, params, self._seen(window, batch["view"]), batch["known"], batch["series"],
            carry or None, train=True, rngs={"dropout": key},
        )  # fmt: skip
        values = jnp.mean(measure(forecast - target), axis=1) + penalty
        # A member may hold a whole short batch out: then nothing is learned from it.
        weight = jnp.maximum(jnp.sum(batch["weight"]), 1e-6)
        after = after if self.config.model.stateful else ()
        return {"loss": Sum(jnp.sum(values * batch["weight"]), weight)}, after

    def evaluate(self, params, split):
        """``shown`` has the Backtest of the split by its name, and of the test part "residuals", those
        that make intervals, and "baselines", their forecasts."""
        if not len(self.origins(split)):
            return Evaluation({}, {})
        if self.stack and split != "valid":
            self.stack.weigh(self._on_training(params))
        backtest = self.backtest(params, split)
        if split == "train":
            return Evaluation({"train_rmse": backtest.scores()["train_rmse"]}, {split: backtest})
        metrics = {f"{split}_loss": self._split_loss(params, split)} | backtest.scores()
        if split == "valid":
            return Evaluation(metrics, {split: backtest})
        residuals = self.residuals(params, backtest)
        metrics |= backtest.interval_scores(residuals)
        metrics |= backtest.baseline_scores(self.baselines)
        shown = {split: backtest, "residuals": residuals, "baselines": self.baselines}
        if len(self.table.names) > 1:
            shown["each"] = each = backtest.of_each(self.baselines)
            metrics |= evaluation.listed(each)
        return Evaluation(metrics, shown)

    def artifacts(self, params, evaluated, run):
        evaluation.write(self, params, evaluated, run)

    def backtest(self, params, split: str) -> evaluation.Backtest:
        """The forecasts of a split from every origin in it, beside what came."""
        origins = self.origins(split)
        if split == "train" and self.config.model.horizon == 1:  # those are the origins of training
            u = self._on_training(params)
        else:
            u = self.forecasts(params, origins, self.config.horizon)
        skip = self.config.data.skip_last
        source = (self.config.model.length, skip) if skip else None
        z = self.combined(self.views, origins, u, self.table)
        backtest = evaluation.Backtest(self.table, self.frame, split, origins, z, source)
        if split == "test" and (recent := self.config.ensemble.recent):
            gamma = self.config.ensemble.gamma
            return backtest._replace(before=self._errors(params), recent=recent, gamma=gamma)
        return backtest

    @cached_property
    def baselines(self) -> dict[str, np.ndarray]:
        """name -> (n, horizon): what other methods forecast from the origins of the test part."""
        classical = self.config.baselines == "classical"
        return evaluation.baseline_forecasts(self.table, self.frame, self.config.horizon, classical)

    def origins(self, split: str, horizon: int = 1) -> np.ndarray:
        """(n, 2) of (series, row): where forecasts of a split begin, ``horizon`` rows of it ahead."""
        skip = self.config.data.skip_last if split == "train" else 0
        need = min(view.need for view in self.views)
        return frames.origins(self.frame, split, need, horizon, skip)

    def residuals(self, params, test: evaluation.Backtest | None = None) -> np.ndarray:
        """(n, horizon) errors z - forecast over the scale of each series, on what was not trained on.

        From what each member has held out, else from the validation part, else (too small then, but
        all there is) from the training part. NaN where a series ends before the horizon. With
        ``ensemble.recent`` the last ones of each series, those of ``test`` included, where it is given.
        """
        return test.latest() if test and test.recent else self._errors(params)[1]

    def _errors(self, params):
        """((m,) series, (m, H) residuals) on what was not trained on, before the test part."""
        held_out = self.config.ensemble.holdout
        split = "valid" if len(self.origins("valid")) and not held_out else "train"
        train = split == "train"
        origins = self.training_origins if train else self.origins(split)
        u = (
            self._on_training(params)
            if train
            else self.forecasts(params, origins, self.config.horizon)
        )
        if self.stack:
            z = self.stack.combined(self.views, origins, u, self.table, scouted=train)
        else:
            z = frames.combine(self.views, origins, u, self._kept == 0 if held_out else None)
        errors = frames.actual(self.frame, origins, u.shape[2], split) - z
        return origins[:, 0], errors / self.frame.scale[origins[:, 0], None]

    def forecasts(self, params, origins, horizon, views=None, refitted=False) -> np.ndarray:
        """u (members, n, horizon) from origins (n, 2), each as its member sees the series: of those that
        are judged, or of those that are ``refitted``."""
        data, view = self._arrays(views or self.views), jnp.zeros((), jnp.int32)
        if self.members:
            first = self.config.ensemble.members
            part = slice(first, None) if refitted else slice(0, first)
            view = jnp.arange(self.members)[part] % len(self.views)
            if self.refit.members:
                params = jax.tree.map(lambda a: a[part], params)
        size = _BLOCK if len(origins) > 2 * _BLOCK else 128
        rows = np.pad(origins, [(0, -len(origins) % size), (0, 0)], mode="edge").astype(np.int32)
        new = np.append(True, rows[1:, 0] != rows[:-1, 0]).reshape(-1, size)
        carry, parts = self._per_member(self.model.carry(1)), []
        for block, fresh in zip(rows.reshape(-1, size, 2), new, strict=True):
            if self.config.model.stateful:
                carry, u = self._roll_on(params, view, data, block, fresh, carry, horizon)
            else:
                u = self._roll(params, view, data, block, horizon)
            parts.append(np.asarray(u))
        return np.concatenate(parts, axis=1)[:, : len(origins)]

    def _blocks(self, horizon):
        return -(-horizon // self.config.model.horizon)

    def combined(self, views, origins, u, table, refitted=False):
        """z (n, H) of forecasts u (members, n, H): their mean, or with the other candidates by weights."""
        if self.stack:
            return self.stack.combined(views, origins, u, table, refitted=refitted)
        return frames.combine(views, origins, u)

    def _on_training(self, params):
        """u (members, n, H) from the origins of training, made once for the same parameters."""
        if self._made is None or self._made[0] is not params:
            self._made = params, self.forecasts(params, self.training_origins, self.config.horizon)
        return self._made[1]

    @partial(jax.jit, static_argnums=(0, 5))
    def _roll(self, params, view, data, origins, horizon):
        """Forecasts (members, B, horizon) from origins (B, 2), each from a zero state."""

        def one(params, view):
            return self._ahead(params, data, origins, None, horizon, view)[1]

        u = self._each(one)(params, view)
        return u if self.members else u[None]

    @partial(jax.jit, static_argnums=(0, 7))
    def _roll_on(self, params, view, data, origins, new, carry, horizon):
        """(carry, forecasts): the same, with the state kept from one origin to the next."""

        def one(params, view, carry):
            def body(carry, at):
                origin, new = at
                carry = _restart(carry, new[None])
                return self._ahead(params, data, origin[None], carry, horizon, view)

            carry, u = lax.scan(body, carry, (origins, new))
            return carry, u[:, 0]

        carry, u = self._each(one)(params, view, carry)
        return carry, u if self.members else u[None]

    def _ahead(self, params, data, origins, carry, horizon, view):
        """(carry after the windows, forecasts (B, horizon)); forecasts are read as the past."""
        length, block = self.config.model.length, self.config.model.horizon
        series, t = origins[:, 0], origins[:, 1]
        u = data["u"] if self._alike else data["u"][view]
        window = cut(u, series, t - length, length)
        blocks = self._blocks(horizon)
        known = cut(data["known"], series, t - length, length + blocks * block)

        def body(state, i):
            window, carry = state
            seen = lax.dynamic_slice_in_dim(known, i * block, length + block, axis=1)
            after, ys = self.model.apply(params, self._seen(window, view), seen, series, carry)
            window = jnp.concatenate([window, ys], axis=1)[:, -length:]
            carry = after if self.config.model.stateful else None
            return (window, carry), (ys, carry)

        _, (ys, carries) = lax.scan(body, (window, carry), jnp.arange(blocks))
        ys = ys.swapaxes(0, 1).reshape(len(origins), -1)
        return jax.tree.map(lambda a: a[0], carries), ys[:, :horizon]

    def _split_loss(self, params, split):
        """The training loss on a split: of scaled differences, model.horizon values a window."""
        horizon = self.config.model.horizon
        origins = self.origins(split, horizon)
        if not len(origins):
            return float("nan")
        u = self.forecasts(params, origins, max(horizon, self.config.horizon))[:, :, :horizon]
        at = origins[:, 1:] + np.arange(horizon)
        errors = [
            u[k :: len(self.views)].mean(0) - view.frame.u[origins[:, :1], at]
            for k, view in enumerate(self.views)
        ]
        return float(np.mean(np.asarray(ERRORS[self.config.loss](jnp.asarray(errors)))))

    @cached_property
    def _kept(self):
        """(members, n) 1 where a member trains on a window, 0 where it is held out, or where its view
        does not reach back far enough; None for all."""
        e = self.config.ensemble
        if not e.holdout and self._alike and not self.stack:
            return None
        key = random.key(self.config.seed, "data", 2**31 - 1)
        shape = (e.members, len(self.training_origins))
        if self.stack:
            kept = self.stack.kept.astype(np.float32)
        else:
            kept = np.asarray(jax.random.bernoulli(key, 1 - e.holdout, shape), np.float32)
        needs = np.resize([view.need for view in self.views], e.members)
        return kept * (self.training_origins[:, 1] >= needs[:, None])

    @cached_property
    def training_origins(self):
        """The origins of training, (n, 2)."""
        return self.origins("train", self.config.model.horizon)

    def _windows(self, data, origins, view):
        c = self.config.model
        series, t = origins[:, 0], origins[:, 1]
        width = c.length + c.horizon

        u = data["u"] if self._alike else jnp.asarray(data["u"])[view]
        return {
            "window": cut(u, series, t - c.length, width),
            "known": cut(data["known"], series, t - c.length, width),
            "series": series,
        }

    def views_of(self, table: Table, horizon: int, like=()) -> list[frames.View]:
        """A table as the members see it, for forecasts of ``horizon`` rows: with what is known of whole
        blocks of model.horizon. ``like``: the views whose scales are taken over."""
        d, e = self.config.data, self.config.ensemble
        names = ("scaler", "scale", "valid", "test")
        options = {name: d[name] for name in names} | {
            "with_calendar": d.calendar,
            "future": self._blocks(horizon) * self.config.model.horizon,
        }
        differences = e.differences or (d.difference,)
        lengths = e.lengths or (self.config.model.length,)
        transforms = e.transforms or (d.transform,)
        views = []
        for k in range(kinds(self.config)):
            options["transform"] = transforms[k % len(transforms)]
            lags = differences[k % len(differences)]
            before = like[k].frame if like else None
            frame = frames.frame(table, difference=lags, like=before, **options)
            views.append(frames.View(frame, lengths[k % len(lengths)]))
        return views

    def _arrays(self, views):
        """What forecasts read: u (N, T) where all members see the same, else (views, N, T)."""
        u = views[0].frame.u if self._alike else np.stack([view.frame.u for view in views])
        return {"u": u, "known": views[0].frame.known}

    def _seen(self, window, view):
        """The window (B, L) with zeros before what a view reaches back to."""
        if self._alike:
            return window
        length = jnp.array([view.length for view in self.views])[view]
        return jnp.where(jnp.arange(window.shape[1]) >= window.shape[1] - length, window, 0)

    @property
    def _alike(self):
        return len(self.views) == 1

    def _columns(self):
        d = self.config.data
        names = ("column", "time", "frequency", "key", "known", "sort")
        return {name: d[name] for name in names}

    def _example(self):
        c = self.config.model
        window, known = jnp.zeros((1, c.length)), jnp.zeros((1, c.length + c.horizon, self.known))
        return window, known, jnp.zeros(1, jnp.int32)

    def _each(self, f):
        return jax.vmap(f) if self.members else f

    def _per_member(self, tree):
        if not self.members:
            return tree
        return jax.tree.map(lambda a: jnp.broadcast_to(a[None], (self.members, *a.shape)), tree)


def _restart(carry, new):
    return jax.tree.map(lambda a: jnp.where(new[0], jnp.zeros_like(a), a), carry)
