"""Banks: N models of the same shapes, trained as one program over stacked parameters.

One member after the other, each for all steps of a dispatch, or all at once (``vmap``).
On a CPU the first is faster: a member's weights stay in the cache for the whole dispatch, and no
product becomes a batched one; but for tiny models, whose steps cost more than their arithmetic. On an
accelerator the second: small products fill it together. Several devices share the members, where their
number divides that of the members.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from zoo.runs.state import TrainState

# Which leaves have an axis of members: all but the step, which they share.
AXES = TrainState(None, 0, 0, 0, 0, 0)
_TINY = 1 << 14  # parameters


def loop(one: Callable, members: int, form: str, mesh: Mesh | None = None) -> Callable:
    """(state, data, orders, n) -> the state after at most n steps of ``one`` by every member.

    one:     (state, data, orders, member) -> state, of one model
    members: N; 0 for one model, whose arrays have no axis of members
    form:    "map" or "vmap"; "alone" for the first member by itself, whose state has no such axis either
    mesh:    whose "data" devices share the members, each its own in that form; None where they do not

    It ends early where a loss is not finite.
    """
    own = members // mesh.shape["data"] if mesh else members

    def first():
        return lax.axis_index("data") * own if mesh else 0

    def single(state: TrainState, data, orders, n, member=0):
        end = state.step + n

        def going_on(state):
            return (state.step < end) & jnp.isfinite(state.sums["loss"].total)

        return lax.while_loop(going_on, lambda state: one(state, data, orders, member), state)

    def mapped(state, data, orders, n):
        # Members are updated in place: lax.map would copy all of them in and out at every dispatch.
        def each(member, at):
            stacked, end = at
            part = jax.tree.map(lambda a: a[member], stacked)
            after = single(part._replace(step=state.step), data, orders, n, first() + member)
            part = after._replace(step=())
            stacked = jax.tree.map(lambda a, b: a.at[member].set(b), stacked, part)
            return stacked, jnp.maximum(end, after.step)

        stacked, end = lax.fori_loop(0, own, each, (state._replace(step=()), state.step))
        return stacked._replace(step=end)

    def together(state, data, orders, n):
        end = state.step + n
        step = jax.vmap(one, in_axes=(AXES, None, None, 0), out_axes=AXES)

        def going_on(state):
            return (state.step < end) & jnp.all(jnp.isfinite(state.sums["loss"].total))

        def body(state):
            return step(state, data, orders, first() + jnp.arange(own))

        return lax.while_loop(going_on, body, state)

    if not members or form == "alone":
        return single
    steps = mapped if form == "map" else together
    if not mesh:
        return steps

    def shared(state, data, orders, n):
        after = steps(state, data, orders, n)
        return after._replace(step=lax.pmax(after.step, "data"))

    states = TrainState(P(), *[P("data")] * (len(AXES) - 1))
    specs = {"in_specs": (states, P(), P(), P()), "out_specs": states}
    # Without its check of types: a step of a member is the same program as without devices to share.
    return jax.shard_map(shared, mesh=mesh, check_vma=False, **specs)


def each(make: Callable, members: int) -> Callable:
    """(key, start) -> the state that ``make`` gives for each member, from a key and a row of ``start`` of
    its own.

    By lax.map: batched QR decompositions, which vmap makes of orthogonal initial values, were seen to
    block each other for ever on two CPU cores (jaxlib 0.10.2, 4 at a time, 8 of 64 x 64 each).
    """
    if not members:
        return make

    def all_of_them(key, start):
        keys = jax.random.split(key, members)
        state = lax.map(lambda given: make(*given), (keys, start))
        return state._replace(step=state.step[0])

    return all_of_them


def member(state: TrainState, i: int) -> TrainState:
    """The state of one member of a bank."""
    part = jax.tree.map(lambda a: a[i], state._replace(step=()))
    return part._replace(step=state.step)


def form(params: Any) -> str:
    """The faster form for these parameters, members first, on the devices that are there."""
    one = sum(a.size // len(a) for a in jax.tree.leaves(params))
    return "map" if jax.default_backend() == "cpu" and one > _TINY else "vmap"


def numbers(values: dict[str, Any]) -> dict[str, Any]:
    """Metrics as JSON takes them: of (N,) values the mean, and the list under NAME_each. Lists stay."""
    plain = {}
    for name, value in values.items():
        if np.ndim(value) and not isinstance(value, list):
            plain[name] = float(np.mean(value))
            plain[f"{name}_each"] = [float(v) for v in value]
        else:
            plain[name] = value
    return plain


def choose(better: np.ndarray, one: Any, other: Any) -> Any:
    """``one`` where ``better``, () or (N,), else ``other``: trees of arrays, members first."""

    def pick(a: Array, b: Array) -> Array:
        a = jnp.asarray(a, b.dtype)
        return jax.device_put(
            jnp.where(better.reshape(better.shape + (1,) * (b.ndim - better.ndim)), a, b),
            b.sharding,
        )

    return jax.tree.map(pick, one, other)
