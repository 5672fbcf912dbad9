"""The cells inside other people's code: their loops, transformations, devices and modules."""

from functools import cache, partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import nnx
from jax import lax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from reference import assert_trees_close, jit, numpy64, problem

from zoo.cells import CELLS, lstm, step
from zoo.unroll import unroll

T, B, H = 6, 8, 4


def loss(cell, params, xs, carry, **options):
    last, ys = unroll(cell, params, xs, carry, **options)
    return (ys**2).sum() + sum((a**3).sum() for a in jax.tree.leaves(last))


def gradients(cell, **options):
    return jax.grad(partial(loss, cell, **options), argnums=(0, 1, 2))


@cache
def alone(cell):
    """One compiled program without any of it: (params, xs, carry) -> results and gradients."""
    return jit(lambda *arrays: (unroll(cell, *arrays), gradients(cell)(*arrays)))


@pytest.mark.parametrize("name", CELLS)
def test_step_in_a_scan_of_ones_own_equals_unroll_and_has_its_gradient(name):
    cell, *arrays = problem(name, B=B)

    def own(params, xs, carry):
        last, ys = lax.scan(partial(step, cell, params), carry, xs)
        return (ys**2).sum() + sum((a**3).sum() for a in jax.tree.leaves(last)), (last, ys)

    grads, out = jit(jax.grad(own, argnums=(0, 1, 2), has_aux=True))(*arrays)
    assert_trees_close((out, grads), alone(cell)(*arrays), rtol=1e-5)


def test_one_jitted_step_at_a_time_equals_unroll():
    cell, params, xs, carry = problem("lstm", B=B)
    took = jit(partial(step, cell), donate_argnums=1)
    want, _ = alone(cell)(params, xs, carry)
    ys = []
    for x in xs:
        carry, y = took(params, carry, x)
        ys.append(y)
    assert_trees_close((carry, jnp.stack(ys)), want, rtol=1e-6)


def test_vmap_over_parameters_equals_a_loop_over_them():
    cell, _, xs, carry = problem("gru", B=B)
    members = [problem("gru", seed=seed)[1] for seed in range(3)]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *members)
    options = {
        "lengths": jnp.arange(B) % (T + 1),
        "resets": jnp.zeros((T, B), bool).at[2].set(True),
    }

    def both(params):
        out = unroll(cell, params, xs, carry, **options)
        return out, gradients(cell, **options)(params, xs, carry)

    got, one = jit(jax.vmap(both))(stacked), jit(both)
    want = jax.tree.map(lambda *a: np.stack(a), *map(one, members))
    assert_trees_close(got, want, rtol=1e-5)


def test_checkpoint_changes_no_result_and_no_gradient():
    cell, *arrays = problem("lstm", B=B)
    again = jax.grad(jax.checkpoint(partial(loss, cell)), argnums=(0, 1, 2))
    _, want = alone(cell)(*arrays)
    assert_trees_close(jit(again)(*arrays), want, rtol=1e-6)


@pytest.fixture
def mesh():
    return jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))


def test_inputs_sharded_over_the_batch_give_the_results_of_one_device(mesh):
    cell, *arrays = problem("lstm", B=B)
    lengths = jnp.arange(B) % (T + 1)
    specs = P(), P(None, "data"), P("data")
    spread = jax.device_put(arrays, [NamedSharding(mesh, spec) for spec in specs])
    spread_lengths = jax.device_put(lengths, NamedSharding(mesh, P("data")))
    run = jit(lambda *a, lengths: (unroll(cell, *a, lengths=lengths), gradients(cell)(*a)))
    got, want = run(*spread, lengths=spread_lengths), run(*arrays, lengths=lengths)
    assert_trees_close(got, want, rtol=1e-5)
    (_, ys), (d_params, _, _) = got
    assert ys.sharding.is_equivalent_to(NamedSharding(mesh, P(None, "data")), 3)
    assert all(a.sharding.is_fully_replicated for a in d_params)


def shards(cell, mesh, **options):
    """Each device on its own part of the batch: what unroll gives and the gradients of the sum."""
    specs = P(), P(None, "data"), P("data")

    def local(params, xs, carry):
        grads = gradients(cell)(params, xs, carry)
        if not options.get("check_vma", True):
            grads = lax.psum(grads[0], "data"), *grads[1:]
        return unroll(cell, params, xs, carry), grads

    out_specs = (P("data"), P(None, "data")), specs
    return jit(jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=out_specs, **options))


def test_shard_map_without_its_type_check_gives_the_results_of_one_device(mesh):
    cell, *arrays = problem("lstm", B=B)
    got = shards(cell, mesh, check_vma=False)(*arrays)
    assert_trees_close(got, alone(cell)(*arrays), rtol=1e-5)


def test_shard_map_gives_the_results_of_one_device(mesh):
    cell, *arrays = problem("lstm", B=B)
    assert_trees_close(shards(cell, mesh)(*arrays), alone(cell)(*arrays), rtol=1e-5)


def test_shard_map_needs_no_carry(mesh):
    cell, params, xs, _ = problem("rnn", B=B)
    run = jax.shard_map(
        lambda params, xs: unroll(cell, params, xs)[1],
        mesh=mesh,
        in_specs=(P(), P(None, "data")),
        out_specs=P(None, "data"),
    )
    assert_trees_close(jit(run)(params, xs), jit(partial(unroll, cell))(params, xs)[1], rtol=1e-6)


class Recurrent(nn.Module):
    """The thinnest Linen module: xs (T, B, D) -> ys (T, B, H)."""

    features: int

    @nn.compact
    def __call__(self, xs):
        cell = lstm()
        params = self.param("cell", lambda key: cell.init(key, xs.shape[-1], self.features))
        return unroll(cell, params, xs)[1]


def test_linen_module_holds_the_cells_parameters_as_they_are():
    _, params, xs, carry = problem("lstm")
    got = jit(Recurrent(H).apply)({"params": {"cell": params}}, xs)
    zeros = [np.zeros_like(a) for a in carry]
    want = reference.unroll(reference.lstm, *numpy64((params, xs)), zeros)[1]
    assert_trees_close(got, want, rtol=1e-5)


def test_nnx_module_runs_and_differentiates_a_cell_through_the_bridge():
    cell, params, xs, _ = problem("lstm")
    module = nnx.bridge.ToNNX(Recurrent(H), rngs=nnx.Rngs(0)).lazy_init(xs)
    assert set(nnx.to_pure_dict(nnx.state(module, nnx.Param))) == {"cell"}
    nnx.update(module, nnx.State({"cell": nnx.Param(params)}))
    grads = nnx.jit(nnx.grad(lambda module: (module(xs) ** 2).sum()))(module)
    want = jit(jax.grad(lambda p: (unroll(cell, p, xs)[1] ** 2).sum()))(params)
    assert_trees_close(jax.tree.leaves(grads), jax.tree.leaves(want), rtol=1e-5)
