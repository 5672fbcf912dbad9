"""Whether the installed jaxlib computes right numbers: its known faults as small programs, against NumPy.

``verdict`` runs those that give wrong numbers, in this process, on the device that everything else
runs on. A program that crashes would take the process with it, so those run in a process of their own
(``crashes``), on a CPU. Training asks for the first, while it compiles; ``train.py --mode=check``
and the tests for both. Speed is not asked for: 40101 and 38445 (see ``zoo.xla``) make nothing wrong.

    python -m zoo.canary          what is right and what is wrong; exit code 1 where anything is
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo import xla
from zoo.errors import UserError

RIGHT = "right"
_ROOT = Path(__file__).parent.parent
_CRASHES = "--crashes"
_SECONDS = 60  # that the programs of ``crashes`` may take; some hang instead of crashing

# Numbers that XLA computed, and the same in float64 by NumPy.
Pair = tuple[np.ndarray, np.ndarray]


class Fault(NamedTuple):
    """A fault by its number among JAX's issues (0 for none), in words, and the programs that show it."""

    issue: int
    words: str
    programs: Callable[[], Iterator[Pair]]


def product_then_sum() -> Iterator[Pair]:
    """Sums of the squares of 3 x 3 products, one a row; 32,769 rows and their neighbours."""
    import jax
    import jax.numpy as jnp

    matrix = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
    for rows in range(32_767, 32_772):
        # Nothing cancels, and no row is like those near it: wrong ones hold what belongs to another.
        xs = (1 + np.arange(3 * rows, dtype=np.float32) % 97).reshape(rows, 3)
        got = jax.jit(jax.vmap(lambda x: jnp.sum(jnp.square(matrix @ x))))(xs)
        yield np.asarray(got), np.sum(np.square(_wide(xs) @ _wide(matrix).T), axis=1)


def mean_of_product() -> Iterator[Pair]:
    """The mean over many rows of a product."""
    import jax
    import jax.numpy as jnp

    xs, matrix = _random(64_753, 61), _random(61, 61)
    got = jax.jit(lambda xs, m: jnp.mean(xs @ m.T, axis=0))(xs, matrix)
    yield np.asarray(got), np.mean(_wide(xs) @ _wide(matrix).T, axis=0)


def broadcast_product_of_rank_8() -> Iterator[Pair]:
    """A product with a broadcast array of rank 3, summed over one of eight axes."""
    import jax
    import jax.numpy as jnp

    few, many = _random(10, 4, 6), np.ones((10, 4, 6, 9, 9, 9, 9, 9), np.float32)
    got = jax.jit(lambda a, b: jnp.sum(jnp.expand_dims(a, (3, 4, 5, 6, 7)) * b, axis=2))(few, many)
    yield np.asarray(got)[..., 0, 0, 0, 0, 0], np.sum(_wide(few), axis=2)


def product_of_rank_7() -> Iterator[Pair]:
    """A product with an axis of 1, summed over another of seven axes."""
    import jax
    import jax.numpy as jnp

    one, other = _random(3, 1, 2, 2, 8, 8, 8), _random(3, 1, 2, 2, 8, 8, 8)
    got = jax.jit(lambda a, b: jnp.sum(a * b, axis=3))(one, other)
    yield np.asarray(got), np.sum(_wide(one) * _wide(other), axis=3)


WRONG = (Fault(39103, "a product followed by a sum", product_then_sum),)
CRASHES = (
    Fault(39257, "a product with a broadcast, summed, of rank 8", broadcast_product_of_rank_8),
    Fault(40412, "a product summed, of rank 7", product_of_rank_7),
    Fault(0, "the mean of many rows of a product", mean_of_product),
)


@cache
def verdict() -> str:
    """Of the programs that may give wrong numbers: "right", or what was wrong, in words."""
    return joined(map(examined, WRONG))


@cache
def crashes() -> str:
    """Of the programs that may crash, in a process of their own: "right", or what happened, in words."""
    command = [sys.executable, "-m", "zoo.canary", _CRASHES]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    try:
        done = subprocess.run(
            command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=_SECONDS
        )
        lines, code = done.stdout.splitlines(), done.returncode
    except subprocess.TimeoutExpired as late:
        lines, code = (late.stdout or b"").decode().splitlines(), None
    if len(lines) == len(CRASHES):
        return joined(lines)
    how = "hangs" if code is None else f"ends the process ({_ending(code)})"
    return joined([*lines, _told(CRASHES[len(lines)], how)])


def examined(fault: Fault) -> str:
    """Of one fault: "right", or what was wrong, in words."""
    try:
        for got, want in fault.programs():
            wide = 1e-2 * np.maximum(np.abs(want), np.abs(want).mean())  # a GPU may keep 10 bits
            if wrong := int(np.sum(~(np.abs(got - want) <= wide))):
                return _told(fault, f"{wrong:,} of {want.size:,} numbers are wrong")
    except Exception as error:  # of the compiler, or of a device without memory
        return _told(fault, f"{type(error).__name__}: {error}".splitlines()[0])
    return RIGHT


def joined(verdicts) -> str:
    """Several as one: "right", or all that was wrong."""
    return "; ".join(dict.fromkeys(v for v in verdicts if v != RIGHT)) or RIGHT


def _told(fault, how):
    known = f"JAX issue {fault.issue}, " if fault.issue else ""
    return f"{fault.words}: {how} ({known}jaxlib {xla.jaxlib()})"


def _ending(code):
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def _wide(array):
    return array.astype(np.float64)


def main(argv: list[str]) -> int:
    """Prints every fault and whether it is there; the exit code is 1 where one is, 2 for wrong flags."""
    try:
        xla.prepare()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if argv[1:] == [_CRASHES]:
        for fault in CRASHES:
            print(examined(fault), flush=True)
        return 0
    verdicts = {fault.words: examined(fault) for fault in WRONG} | {"crashes": crashes()}
    for words, told in verdicts.items():
        print(f"{words}: right" if told == RIGHT else told)
    return int(joined(verdicts.values()) != RIGHT)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
