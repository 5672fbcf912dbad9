"""docs/cells.md does what it says: its cells, as they stand there, against the papers in NumPy."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from reference import assert_trees_close, jit, numpy64, sigmoid

from zoo.cells import CELLS
from zoo.unroll import unroll

PAGE = (Path(__file__).parent.parent / "docs/cells.md").read_text(encoding="utf-8")
T, B, D, H = 6, 3, 2, 4
LENGTHS = (6, 3, 0)
WAYS = [{"layout": "rows"}, {"layout": "columns"}, {"gradient": "segments"}]


@pytest.fixture(scope="module")
def page():
    """The names that the page's code makes, all of it run in order."""
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(code, names)
    return names


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def coupled(p, state, x):
    """Greff et al. 2017."""
    h, c = state
    i, g, o = np.split(x @ p.w_x + h @ p.w_h + p.b, 3)
    c = (1 - sigmoid(i)) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def reset_before(p, state, x):
    """Chung et al. 2014."""
    (h,) = state
    r_x, z_x, n_x = np.split(x @ p.w_x + p.b, 3)
    U_r, U_z, U_n = np.split(p.w_h, 3, axis=1)
    r, z = sigmoid(r_x + h @ U_r), sigmoid(z_x + h @ U_z)
    n = np.tanh(n_x + (r * h) @ U_n)
    return ((1 - z) * n + z * h,)


def zoneout(p, state, x):
    """Krueger et al. 2017, equations 3 and 4; x and the masks of one step."""
    x, d_h, d_c = np.split(x, [D, D + H])
    h, c = reference.lstm(p, state, x)
    return d_h * state[0] + (1 - d_h) * h, d_c * state[1] + (1 - d_c) * c


PAPERS = {
    "coupled": coupled,
    "reset_before": reset_before,
    "zoneout": zoneout,
    "learned": reference.lstm,
}


def case(page, name):
    """The cell, random parameters, xs and carry; xs with drawn masks for zoneout."""
    cell = page[name]
    params, xs, carry = reference.random_arrays(cell, 0, T, B, D, H)
    if name == "zoneout":
        xs = page["zoned"](jax.random.key(0), xs, H, 0.3, 0.5)
    return cell, params, xs, carry


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("name", [name for name in PAPERS if name != "reset_before"])
def test_a_cell_of_the_page_follows_its_paper_and_has_the_right_gradient(page, x64, name, way):
    assert_follows_its_paper(page, name, way)


def assert_follows_its_paper(page, name, way):
    cell, *arrays = case(page, name)
    lengths = jnp.array(LENGTHS)

    def loss(params, xs, carry, **way):
        last, ys = unroll(cell, params, xs, carry, lengths=lengths, **way)
        return (ys**2).sum() + sum((a**3).sum() for a in last), (last, ys)

    grad = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)
    grads, got = jit(lambda *a: grad(*a, **way))(*arrays)
    want = reference.unroll(PAPERS[name], *numpy64(arrays), LENGTHS)
    assert_trees_close(got, want, rtol=1e-12)
    plain, _ = jit(lambda *a: grad(*a, gradient="plain"))(*arrays)
    assert_trees_close(grads, plain, rtol=1e-10)


@pytest.mark.parametrize("way", [{"layout": "rows"}, {"gradient": "segments"}], ids=str)
def test_the_cell_of_two_products_follows_its_paper_and_has_the_right_gradient(page, x64, way):
    assert_follows_its_paper(page, "reset_before", way)


def test_zoneout_takes_the_mean_in_evaluation_and_draws_at_its_rate(page):
    xs = jnp.ones((50, 40, D))
    drawn = page["zoned"](jax.random.key(0), xs, H, 0.1, 0.5)
    mean = page["zoned"](None, xs, H, 0.1, 0.5, train=False)
    for a, rate in ((drawn[..., D:-H], 0.1), (drawn[..., -H:], 0.5)):
        assert set(np.unique(a)) == {0, 1} and abs(a.mean() - rate) < 0.02
    np.testing.assert_allclose(mean[0, 0], [1, 1, *[0.1] * H, *[0.5] * H])
    np.testing.assert_array_equal(drawn[..., :D], xs)


def test_a_learned_first_state_is_what_sequences_begin_with_and_has_a_gradient(page, x64):
    cell, params, xs, _ = case(page, "learned")
    first = [np.broadcast_to(a, (B, H)) for a in numpy64((params.h_0, params.c_0))]
    want = reference.unroll(reference.lstm, numpy64(params), numpy64(xs), first)
    assert_trees_close(jit(lambda p, xs: unroll(cell, p, xs))(params, xs), want, rtol=1e-12)

    def grads(gradient):
        loss = lambda p: (unroll(cell, p, xs, gradient=gradient)[1] ** 2).sum()  # noqa: E731
        return jit(jax.grad(loss))(params)

    assert_trees_close(grads("custom"), grads("plain"), rtol=1e-10)
    assert np.any(grads("custom").h_0) and np.any(grads("custom").c_0)


def test_the_page_has_a_row_for_every_cell_of_the_zoo():
    rows = re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(CELLS)


def test_the_other_snippets_give_what_their_comments_say(page):
    assert page["carries"][0].c.shape == (2, 32) and page["carries"][2].h.shape == (2, 4)
    assert page["ys"].shape == (5, 3, 4)  # the exported program's, the last of the page
    assert "ys (20, 2, 4)" in PAGE
    params = reference.random_arrays(page["lstm"](), 0, 1, 1, 2, 4)[0]
    grads = jax.eval_shape(jax.grad(page["loss"]), params, jnp.ones((5, 3, 2)))
    assert {a.dtype for a in grads} == {jnp.dtype("float32")}


def test_a_carry_of_bfloat16_stops_at_256_times_the_step():
    c, step = jnp.bfloat16(0), jnp.bfloat16(2.0**-10)
    for _ in range(600):
        c += step
    assert float(c) == 256 * float(step)
