"""Mixed precision: weights and products in bfloat16, the carry, the gates and all sums in float32."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import OTHERS, assert_trees_close, jit, problem

from zoo.cells import step
from zoo.cells.cell import cast
from zoo.models import Classifier, Forecaster, LanguageModel, WindowModel
from zoo.models.stack import with_matrices_in
from zoo.unroll import stack, unroll
from zoo.unroll.layout import LAYOUTS

T, B, D, H = 50, 4, 8, 32
NAMES = ["lstm", "gru", "rnn"]
WAYS = [{"layout": name} for name in LAYOUTS] + [{"gradient": g} for g in ("segments", "plain")]
HALF = jnp.bfloat16
# As many sequences as the time loop has in columns on a CPU.
TOKENS = jnp.arange(96).reshape(8, 12) % 5
LENGTHS = jnp.array([12, 5, 1, 7, 12, 12, 3, 2])


def loss(cell, params, xs, carry, **options):
    last, ys = unroll(cell, params, xs, carry, **options)
    return (ys**2).mean() + (last.h**2).mean(), (last, ys)


def gradients(cell, **options):
    return jax.grad(partial(loss, cell, **options), argnums=(0, 1, 2), has_aux=True)


def error(got, want):
    """The largest error of each array over its largest value; the largest of those."""
    pairs = zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True)
    return max(np.abs(np.float64(a) - np.float64(b)).max() / np.abs(b).max() for a, b in pairs)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_over_50_steps_is_within_two_percent_of_float32(name, way):
    """Four percent for the plain gradient: JAX adds that of the weights up in bfloat16."""
    cell, params, xs, carry = problem(name, T=T, B=B, D=D, H=H)
    params = params._replace(w_h=params.w_h / 3)
    want, (last, ys) = jit(gradients(cell))(params, xs, carry)
    grads, out = jit(gradients(cell, **way))(cast(params, HALF), xs, carry)
    assert {a.dtype for a in jax.tree.leaves((out, grads[1:]))} == {jnp.dtype("float32")}
    assert {a.dtype for a in grads[0]} == {jnp.dtype(HALF)}
    assert error(out, (last, ys)) < 0.02
    assert error(grads, want) < (0.04 if way == {"gradient": "plain"} else 0.02)


@pytest.mark.parametrize("name", [*OTHERS, "minlstm", "mingru"])
def test_other_cells_are_within_two_percent_of_float32(name):
    cell, params, xs, _ = problem(name, T=T, B=B, D=D, H=H)
    recurrent = {"w_h", "q", "r", "m_h"} & set(params._fields)
    params = params._replace(**{field: getattr(params, field) / 3 for field in recurrent})
    matrices = with_matrices_in(HALF, params)  # what a training step of a model multiplies with
    run = jit(jax.grad(lambda p, xs: loss(cell, p, xs, None), argnums=(0, 1), has_aux=True))
    grads, out = run(matrices, xs)
    want, exact = run(params, xs)
    assert {a.dtype for a in jax.tree.leaves(out)} == {jnp.dtype("float32")}
    assert error(out, exact) < 0.02
    assert error(grads, want) < 0.02


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_are_of_bfloat16_and_everything_else_of_float32(layout):
    cell, params, xs, carry = problem("lstm")
    run = jit(gradients(cell, layout=layout))
    program = run.lower(cast(params, HALF), xs, carry).as_text()
    products = [line for line in program.splitlines() if "dot_general" in line]
    matrices = [line for line in products if "tensor<18xf32>)" not in line]  # the bias: a sum
    assert matrices
    for line in matrices:
        types = line.rpartition(" : ")[2]
        assert "xbf16>, tensor" in types and types.endswith("xf32>"), line
    tanh = [line for line in program.splitlines() if "stablehlo.tanh" in line]
    assert tanh and all("xf32>" in line for line in tanh)


@pytest.mark.parametrize("name, products", [("lstm", 4), ("gru", 6)])
def test_in_columns_the_gradient_keeps_no_products_of_bfloat16_of_few_inputs(name, products):
    """In float32 it keeps them: an array of (T, B, H) for each gate, of a GRU two."""
    cell, params, xs, carry = problem(name, T=T, B=16, D=D, H=H)
    run = jit(gradients(cell, layout="columns"))
    needed = [
        run.lower(p, xs, carry).compile().memory_analysis().temp_size_in_bytes
        for p in (params, cast(params, HALF))
    ]
    assert needed[0] - needed[1] > 0.9 * products * T * 16 * H * 4


def test_a_float32_carry_remembers_what_a_bfloat16_one_forgets():
    """600 small additions to c: below half a unit of its last place, bfloat16 adds nothing."""
    cell, params, _, _ = problem("lstm", D=1, H=1)
    zeros = jax.tree.map(jnp.zeros_like, params)
    # i open, f open, o open, and g = 0.0009
    params = zeros._replace(b=jnp.array([9.0, 30.0, 0.0009, 9.0]))
    xs = jnp.zeros((600, 1, 1))
    exact = unroll(cell, params, xs)[0].c
    mixed = unroll(cell, cast(params, HALF), xs)[0].c
    half = unroll(cell, *cast((params, xs), HALF))[0].c
    np.testing.assert_allclose(mixed, exact, rtol=0.01)
    assert half.item() < 0.6 * exact.item()


@pytest.mark.parametrize("name", NAMES)
def test_without_a_carry_the_results_have_the_wider_type_of_inputs_and_weights(name):
    cell, params, xs, carry = problem(name)
    half, zeros = cast(params, HALF), jax.tree.map(jnp.zeros_like, carry)
    got = jit(partial(unroll, cell))(half, xs)
    assert_trees_close(got, jit(partial(unroll, cell))(half, xs, zeros), rtol=0)
    got = jax.eval_shape(partial(unroll, cell), params, cast(xs, HALF))
    assert {a.dtype for a in jax.tree.leaves(got)} == {jnp.dtype("float32")}
    got = jax.eval_shape(lambda *a: stack(cell, *a), [half], xs)
    assert {a.dtype for a in jax.tree.leaves(got)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("name", NAMES)
def test_step_in_mixed_precision_equals_a_step_of_unroll(name):
    cell, params, xs, carry = problem(name)
    half = cast(params, HALF)
    last, ys = jit(partial(unroll, cell))(half, xs[:1], carry)
    assert_trees_close(jit(partial(step, cell))(half, carry, xs[0]), (last, ys[0]), rtol=1e-6)


def test_master_weights_in_float32_get_float32_gradients():
    cell, params, xs, _ = problem("gru")
    grads = jit(jax.grad(lambda p: unroll(cell, cast(p, HALF), xs)[1].sum()))(params)
    assert {a.dtype for a in grads} == {jnp.dtype("float32")}
    assert error(grads, jit(jax.grad(lambda p: unroll(cell, p, xs)[1].sum()))(params)) < 0.03


MODELS = {
    "language": (LanguageModel(5, 8, 16, layers=2, precision="bfloat16"), (TOKENS,)),
    "window": (WindowModel(5, 0, 16, layers=2, precision="bfloat16"), (TOKENS,)),
    "classifier": (Classifier(5, 3, 8, 16, layers=2, precision="bfloat16"), (TOKENS, LENGTHS)),
    "forecaster": (
        Forecaster(2, 12, 2, 16, layers=2, precision="bfloat16"),
        (jnp.linspace(0, 1, 96).reshape(8, 12), jnp.zeros((8, 14, 0)), jnp.zeros(8, jnp.int32)),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_multiplies_in_bfloat16_in_the_layers_of_a_training_step_only(name):
    mixed, inputs = MODELS[name]
    exact = mixed.clone(precision="float32")
    params = jit(mixed.init)(jax.random.key(0), *inputs)
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype("float32")}

    def gradient(model, params):
        def loss(params):
            outputs = model.apply(params, *inputs, train=True, rngs={"dropout": jax.random.key(1)})
            return sum((a**2).mean() for a in jax.tree.leaves(outputs))

        return jax.grad(loss)(params)

    program = jit(partial(gradient, mixed)).lower(params).as_text()
    assert program.count("xbf16>, tensor") >= 6  # of each layer: forward, back, and of its weights
    assert error(*(jit(partial(gradient, m))(params) for m in (mixed, exact))) < 0.03
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16; got 'half'"):
        gradient(mixed.clone(precision="half"), params)
    evaluated = [jit(m.apply)(params, *inputs) for m in (mixed, exact)]
    assert_trees_close(*evaluated, rtol=0)
