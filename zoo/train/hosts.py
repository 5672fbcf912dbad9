"""Processes that train one model together, on one machine or on several: each has devices of its own.

All run the same program on the same data (jax.distributed), and all take the same decisions. The first
process, the leader, alone evaluates, writes into the run folder and speaks. Where there is one process,
nothing here does anything.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from zoo import xla
from zoo.errors import UserError
from zoo.terminal import line


def join(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Joins the others, before JAX has started a backend; what is None is asked of the cluster that started
    this process. Where the others do not come within five minutes, JAX ends this process. Raises UserError
    where no cluster tells, and on CPUs where the name of this machine has no address."""
    if xla.guessed_platform() == "cpu":
        _check_name()
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (ValueError, RuntimeError) as error:
        said = str(error).strip().splitlines()[0].rstrip(".")
        raise UserError(
            f"--distributed: no cluster that JAX knows has started this process ({said}); give "
            "--coordinator=HOST:PORT, the same to all, --processes, how many there are, and --process, "
            "which of them this is"
        ) from None
    with _stdout_on_stderr():  # Gloo says so at the first exchange
        multihost_utils.sync_global_devices("joined")
    line.quiet = not leads()


def _check_name():
    """Raises UserError where the name of this machine has no address, which Gloo needs to connect CPUs."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        raise UserError(
            f"--distributed: the name of this machine, {name!r}, has no address; add it to /etc/hosts"
        ) from None


@contextmanager
def _stdout_on_stderr():
    """What libraries write on stdout meanwhile goes to stderr: results alone belong on stdout."""
    sys.stdout.flush()
    stdout = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def several() -> bool:
    """Whether there is more than one process."""
    return jax.process_count() > 1


def leads() -> bool:
    """Whether this process is the leader."""
    return jax.process_index() == 0


def led(call: Callable[[], Any]) -> Any:
    """What ``call()`` gives to the leader, which alone calls it, on every process; it must be JSON. A
    UserError is raised on all."""
    if not several():
        return call()
    said = {}
    if leads():
        try:
            said = {"value": call()}
        except UserError as error:
            said = {"error": str(error)}
    said = json.loads(_text(json.dumps(said)))
    if "error" in said:
        raise UserError(said["error"])
    return said["value"]


def same(what: str, value: str) -> None:
    """Raises UserError on every process, of several, where one has another value than the leader."""
    wanted = led(lambda: value)
    others = multihost_utils.process_allgather(np.int32(value != wanted))
    if others.any():
        raise UserError(f"--distributed: process {int(others.argmax())} has {what} than process 0")


def agreed(chosen: list[int], caught: int) -> tuple[list[int], int]:
    """What the leader has chosen, and the highest number that a process has caught."""
    if not several():
        return chosen, caught
    rows = multihost_utils.process_allgather(np.array([*chosen, caught], np.int32))
    return [int(n) for n in rows[0, :-1]], int(rows[:, -1].max())


def whole(tree: Any) -> Any:
    """The tree as NumPy arrays, gathered where a process holds only a part; as it is where there is one
    process."""
    if not several():
        return tree

    def one(x):
        if not isinstance(x, jax.Array) or x.is_fully_replicated or x.is_fully_addressable:
            return np.asarray(x)
        return multihost_utils.process_allgather(x, tiled=True)

    return jax.tree.map(one, tree)


def shared(tree: Any) -> Any:
    """The leader's tree of NumPy arrays, on every process; the others give one of the same shapes."""
    return multihost_utils.broadcast_one_to_all(tree) if several() else tree


def placed(x: Any, sharding: Any) -> jax.Array:
    """``jax.device_put``; of an array that every process has, each takes its part."""
    here = not isinstance(x, jax.Array) or x.is_fully_addressable
    if not (several() and here):
        return jax.device_put(x, sharding)
    if jax.dtypes.issubdtype(getattr(x, "dtype", None), jax.dtypes.prng_key):
        numbers = placed(jax.random.key_data(x), sharding)
        return jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(x))
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda at: x[at])


def _text(text):
    """The leader's text."""
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(text.encode()))))
    raw = np.zeros(size, np.uint8)
    if leads():
        raw = np.frombuffer(text.encode(), np.uint8)
    return bytes(multihost_utils.broadcast_one_to_all(raw)).decode()
