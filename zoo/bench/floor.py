"""What this machine can do at best: the speed of products, and the bandwidth of reading weights."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from numpy.lib.stride_tricks import as_strided

from zoo import cache

# (rows, columns) of products with a square matrix, whose operands stay in the caches of a CPU.
_PRODUCTS = ((256, 512), (512, 512), (1024, 256), (512, 768), (1024, 1024))
_LEAST, _TURNS = 0.005, 5  # seconds of a turn at least; the best turn counts


def measure(size: int) -> dict[str, float]:
    """ "operations_per_second" of products, "bytes_per_second" of reading ``size`` bytes."""
    return {"operations_per_second": products(), "bytes_per_second": bandwidth(size)}


def products() -> float:
    """Floating-point operations a second: the fastest of a few float32 products, each at its best."""
    return max(_product(*sizes) for sizes in _PRODUCTS)


def bandwidth(size: int) -> float:
    """Bytes a second that all cores together read of ``size`` bytes again and again, each core its part."""
    cores = cache.cores()
    parts = [np.ones(max(1, size // 4 // cores), np.float32) for _ in range(cores)]

    def read(part, n):
        # n rows that are all the same memory; a maximum is a load and little else, without Python's lock.
        np.maximum.reduce(as_strided(part, (n, len(part)), (0, part.itemsize)), axis=1)

    with ThreadPoolExecutor(cores) as pool:
        seconds = _fastest(lambda n: list(pool.map(read, parts, [n] * cores)))
    return sum(part.nbytes for part in parts) / seconds


def _product(rows, columns):
    a = jnp.ones((rows, columns), jnp.float32)
    b = jnp.full((columns, columns), 1 / columns, jnp.float32)

    @jax.jit
    def several(a, b, n):
        return jax.lax.fori_loop(0, n, lambda _, a: a @ b, a)

    seconds = _fastest(lambda n: several(a, b, jnp.int32(n)).block_until_ready())
    return 2.0 * rows * columns * columns / seconds


def _fastest(repeat: Callable[[int], object]) -> float:
    """Seconds of one of the things that ``repeat(n)`` does n times."""
    n = 1
    while True:
        turns = []
        for _ in range(_TURNS + 1):
            began = time.perf_counter()
            repeat(n)
            turns.append(time.perf_counter() - began)
        if min(turns) >= _LEAST:
            return min(turns) / n
        n *= 2
