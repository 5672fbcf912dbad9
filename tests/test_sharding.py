"""The time loop over meshes: explicit axes (JAX's default) and automatic ones, data and model axes."""

import re
from contextlib import nullcontext
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from reference import assert_trees_close, jit, problem

from zoo.cells import step
from zoo.unroll import batch_over, bidirectional, stack, unroll
from zoo.unroll.layout import LAYOUTS

T, B, H = 6, 8, 4
KINDS = {"explicit": AxisType.Explicit, "auto": AxisType.Auto}
SHAPES = [(1, 4), (2, 2), (4, 1)]
LENGTHS = np.arange(B) % (T + 1)
RESETS = np.random.default_rng(0).random((T, B)) < 0.3


def mesh_of(shape, kind="explicit"):
    return jax.make_mesh(shape, ("data", "model"), axis_types=(KINDS[kind],) * 2)


def place(mesh, tree, *spec):
    return jax.device_put(tree, NamedSharding(mesh, P(*spec)))


def placed(mesh, params, xs, carry):
    """Matrices over "model" by their gates, all else but parameters over "data" by the batch."""
    params = [
        place(mesh, a, *[None] * (a.ndim - 1), "model" if a.ndim > 1 else None) for a in params
    ]
    return params, place(mesh, xs, None, "data"), place(mesh, carry, "data")


def results(cell, params, xs, carry, **options):
    """(carry, ys) and the gradients of a loss on both."""

    def loss(params, xs, carry):
        last, ys = unroll(cell, params, xs, carry, **options)
        return (ys**2).sum() + sum((a**3).sum() for a in last), (last, ys)

    grads, out = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(params, xs, carry)
    return out, grads


ALL = "reverse, lengths, resets"
OPTIONS = {
    "plainly": {},
    ALL: {"reverse": True, "lengths": LENGTHS, "resets": RESETS},
}


@cache
def alone(name, option):
    cell, *arrays = problem(name, B=B)
    return jit(partial(results, cell, gradient="plain", **OPTIONS[option]))(*arrays)


@pytest.mark.parametrize("shape, option", [*((s, ALL) for s in SHAPES), ((2, 2), "plainly")])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_both_gradients_over_a_mesh_are_those_of_one_device(name, shape, kind, option):
    cell, params, xs, carry = problem(name, B=B)
    leaves, *others = placed(mesh_of(shape, kind), params, xs, carry)
    arrays = type(params)(*leaves), *others
    # A program each: one of several loops locks up on a CPU.
    for gradient in ("plain", "custom") if shape == (2, 2) else ("custom",):
        got = jit(partial(results, cell, gradient=gradient, **OPTIONS[option]))(*arrays)
        assert_trees_close(got, alone(name, option), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["multiplicative_lstm", "slstm", "minlstm"])
def test_other_kinds_of_cells_go_over_a_mesh(name, kind):
    cell, params, xs, carry = problem(name, B=B)
    leaves, *others = placed(mesh_of((2, 2), kind), params, xs, carry)
    got = jit(partial(results, cell, **OPTIONS[ALL]))(type(params)(*leaves), *others)
    assert_trees_close(got, alone(name, ALL), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("gradient", ["custom", "segments", "plain"])
@pytest.mark.parametrize("layout", ["rows", None])
def test_inputs_alone_on_an_explicit_mesh_are_enough(gradient, layout):
    cell, params, xs, _ = problem("lstm", B=B)
    mesh = mesh_of((4, 1))

    def run(xs):
        loss = lambda p: (unroll(cell, p, xs, gradient=gradient, layout=layout)[1] ** 2).sum()  # noqa: E731
        return jax.grad(loss)(params), *unroll(cell, params, xs)

    d_params, last, ys = got = jit(run)(place(mesh, xs, None, "data"))
    assert_trees_close(got, jit(run)(xs), rtol=1e-6, atol=1e-6)
    assert ys.sharding.spec == P(None, "data", None)
    assert last.h.sharding.spec == P("data", None)
    assert all(a.sharding.is_fully_replicated for a in d_params)


def test_a_carry_comes_back_in_the_place_it_came_from():
    cell, params, xs, carry = problem("gru", B=B)
    mesh = mesh_of((2, 2))
    xs = place(mesh, xs, None, "data")
    for spec in ((None, None), ("data", None), ("data", "model")):
        last, _ = jit(partial(unroll, cell))(params, xs, place(mesh, carry, *spec))
        assert last.h.sharding.spec == P(*spec)


def test_chunks_in_a_scan_of_ones_own_keep_the_type_of_the_carry_on_an_explicit_mesh():
    cell, params, xs, carry = problem("lstm", B=B)
    mesh = mesh_of((2, 2))

    def chunks(params, xs, carry):
        pieces = jnp.stack([xs[:3], xs[3:]])
        last, ys = jax.lax.scan(lambda c, x: unroll(cell, params, x, c), carry, pieces)
        return (ys**2).sum() + last.c.sum()

    whole = jit(jax.grad(chunks))(params, xs, carry)
    arrays = place(mesh, xs, None, "data"), place(mesh, carry, "data")
    assert_trees_close(jit(jax.grad(chunks))(params, *arrays), whole, rtol=1e-6, atol=1e-6)


def test_unroll_without_jit_and_inside_set_mesh():
    cell, params, xs, _ = problem("rnn", B=B)
    want = jit(partial(unroll, cell))(params, xs)
    mesh = mesh_of((2, 2))
    spread = place(mesh, xs, None, "data")
    assert_trees_close(unroll(cell, params, spread), want, rtol=1e-6)
    with jax.set_mesh(mesh):
        assert_trees_close(unroll(cell, params, spread), want, rtol=1e-6)
        assert_trees_close(jit(partial(unroll, cell))(params, spread), want, rtol=1e-6)
        assert_trees_close(jit(partial(unroll, cell))(params, xs), want, rtol=1e-6)
    members = jax.tree.map(lambda a: jnp.stack([a, a]), params)
    got = jit(jax.vmap(partial(unroll, cell), in_axes=(0, None)))(members, spread)
    assert_trees_close(got, jax.tree.map(lambda a: np.stack([a, a]), want), rtol=1e-6)


def test_stacks_both_directions_carries_and_dropout_go_over_an_explicit_mesh():
    cell, params, xs, _ = problem("gru", D=4, B=B)
    pair = (params, params)

    def run(xs, lengths, resets):
        options = {"lengths": lengths, "resets": resets, "return_carries": True}
        both = bidirectional(cell, pair, xs, **options)
        return both, stack(cell, pair, xs, dropout=0.5, key=jax.random.key(0), **options)

    mesh = mesh_of((4, 1))
    spread = [place(mesh, a, None, "data") for a in (xs, RESETS)]
    got = jit(run)(spread[0], place(mesh, LENGTHS, "data"), spread[1])
    assert_trees_close(got, jit(run)(xs, LENGTHS, RESETS), rtol=1e-6)


def test_step_goes_over_an_explicit_mesh():
    cell, params, xs, carry = problem("lstm", B=B)
    mesh = mesh_of((4, 1))
    got = jit(partial(step, cell))(params, place(mesh, carry, "data"), place(mesh, xs[0], "data"))
    assert_trees_close(got, jit(partial(step, cell))(params, carry, xs[0]), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_shard_map_over_the_batch_of_either_kind_of_mesh_gives_the_gradients_of_one_device(kind):
    cell, *arrays = problem("lstm", B=B)
    mesh = mesh_of((4, 1), kind)
    specs = P(), P(None, "data"), P("data")
    local = jax.shard_map(
        partial(results, cell),
        mesh=mesh,
        in_specs=specs,
        out_specs=((P("data"), P(None, "data")), specs),
    )
    want = jit(partial(results, cell))(*arrays)
    spread = [place(mesh, a, *spec) for a, spec in zip(arrays, specs, strict=True)]
    assert_trees_close(jit(local)(*spread), want, rtol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_devices_that_share_the_batch_alone_send_nothing_within_the_time_loop(kind, layout):
    cell, params, xs, carry = problem("lstm", B=B)
    mesh = mesh_of((4, 1), kind)
    arrays = params, place(mesh, xs, None, "data"), place(mesh, carry, "data")
    with batch_over(mesh, "data") if kind == "auto" else nullcontext():
        run = jit(partial(results, cell, layout=layout, **OPTIONS[ALL])).lower(*arrays).compile()
    assert_trees_close(run(*arrays), alone("lstm", ALL), rtol=1e-6, atol=1e-6)
    inner, _, outer = run.as_text().partition("\nENTRY")
    sent = re.compile(r" (all-\w+|collective-\w+|reduce-scatter)(-start)?\(")
    assert not sent.search(inner)
    assert {found[0] for found in sent.findall(outer)} == {"all-reduce"}
