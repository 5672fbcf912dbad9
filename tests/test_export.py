"""Cells leave Python: ``jax.export`` with any number of steps and sequences, and types for checkers."""

import importlib.resources
import importlib.util
import tomllib
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from reference import assert_trees_close, jit, problem

import zoo.cells
from zoo.cells import CELLS, step
from zoo.unroll import stack, unroll


def saved_and_loaded(function, *shapes):
    """The exported function, through bytes where the package for that is installed."""
    exported = export.export(jax.jit(function))(*shapes)
    if importlib.util.find_spec("flatbuffers"):
        exported = export.deserialize(exported.serialize())
    return exported.call


def shapes_of(tree):
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)


@pytest.mark.parametrize("name", CELLS)
def test_unroll_is_exported_once_for_any_time_and_batch(name):
    cell, params, _, _ = problem(name)
    T, B = export.symbolic_shape("t, b")
    xs = jax.ShapeDtypeStruct((T, B, 2), jnp.float32)
    lengths, resets = jax.ShapeDtypeStruct((B,), jnp.int32), jax.ShapeDtypeStruct((T, B), bool)

    def run(params, xs, lengths, resets):
        options = {"lengths": lengths, "resets": resets, "return_carries": True}
        loss = lambda p: (unroll(cell, p, xs, lengths=lengths)[1] ** 2).sum()  # noqa: E731
        return unroll(cell, params, xs, **options), jax.grad(loss)(params)

    loaded = saved_and_loaded(run, shapes_of(params), xs, lengths, resets)
    for T, B in ((7, 3), (20, 9)):
        _, xs, _ = problem(name, T=T, B=B)[1:]
        rng = np.random.default_rng(0)
        given = params, xs, rng.integers(0, T + 1, B).astype(np.int32), rng.random((T, B)) < 0.2
        assert_trees_close(loaded(*given), jit(run)(*given), rtol=1e-5, atol=1e-6)


def test_step_and_stack_are_exported_for_any_batch():
    cell, params, _, _ = problem("lstm", D=4)
    T, B = export.symbolic_shape("t, b")
    xs = jax.ShapeDtypeStruct((T, B, 4), jnp.float32)
    carry = jax.tree.map(lambda a: jax.ShapeDtypeStruct((B, 4), a.dtype), problem("lstm")[3])
    layers = [params, params]
    deep = saved_and_loaded(partial(stack, cell), shapes_of(layers), xs)
    once = saved_and_loaded(
        lambda p, c, x: step(cell, p, c, x)[0],
        shapes_of(params),
        carry,
        jax.ShapeDtypeStruct((B, 4), jnp.float32),
    )
    for T, B in ((1, 2), (9, 5)):
        _, _, xs, carry = problem("lstm", D=4, T=T, B=B)
        assert_trees_close(deep(layers, xs), jit(partial(stack, cell))(layers, xs), rtol=1e-5)
        assert_trees_close(
            once(params, carry, xs[0]), step(cell, params, carry, xs[0])[0], rtol=1e-5
        )


def test_what_needs_known_sizes_says_so_when_exported():
    cell, params, _, _ = problem("rnn")
    xs = jax.ShapeDtypeStruct((*export.symbolic_shape("t, b"), 2), jnp.float32)
    for options in ({"gradient": "segments"}, {"layout": "columns"}):
        with pytest.raises(ValueError, match=r"xs of any size \(t, b, 2\) need rows"):
            export.export(jax.jit(partial(unroll, cell, **options)))(shapes_of(params), xs)


def test_types_are_shipped_and_the_named_ones_can_be_imported():
    assert importlib.resources.files("zoo").joinpath("py.typed").is_file()
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["package-data"]["zoo"] == ["py.typed"]
    for name in ("LSTM", "GRU", "RNN"):
        for kind in ("Params", "Carry"):
            named = getattr(zoo.cells, name + kind)
            assert name + kind in zoo.cells.__all__ and set(named.__annotations__) == set(
                named._fields
            )
