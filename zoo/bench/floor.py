"""What this machine can do at best: the speed of products, and the bandwidth of reading weights."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

# (rows, inner, columns) of products whose operands stay in the caches of a CPU.
_PRODUCTS = ((128, 512, 512), (256, 256, 1024), (512, 512, 512), (1024, 256, 128), (768, 768, 768))
_LEAST = 0.02  # seconds of a measurement


def products() -> float:
    """Floating-point operations a second: the fastest of a few float32 products, each at its best."""
    return max(_product(*sizes) for sizes in _PRODUCTS)


def _product(rows, inner, columns, turns=5):
    a, b = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)

    @jax.jit
    def several(a, b, n):
        # Each product depends on the one before it, so that none can be left out.
        def one(_, a):
            return a + 1e-30 * (a @ b)[:1, :1]

        return jax.lax.fori_loop(0, n, one, a)

    n = 1
    while True:
        best = min(_seconds(several, a, b, jnp.int32(n)) for _ in range(turns))
        if best >= _LEAST / turns:
            return 2.0 * rows * inner * columns * n / best
        n *= 2


def _seconds(f, *args):
    jax.block_until_ready(f(*args))
    began = time.perf_counter()
    jax.block_until_ready(f(*args))
    return time.perf_counter() - began


def bandwidth(size: int, turns: int = 5) -> float:
    """Bytes a second that all cores together read of ``size`` bytes again and again, each core its part."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [np.ones(max(1, size // 4 // cores), np.float32) for _ in range(cores)]

    def read(part, n):
        for _ in range(n):
            np.dot(part, part)

    with ThreadPoolExecutor(cores) as pool:
        n = 1
        while True:
            best = float("inf")
            for _ in range(turns):
                began = time.perf_counter()
                list(pool.map(read, parts, [n] * cores))
                best = min(best, time.perf_counter() - began)
            if best >= _LEAST / turns:
                return n * sum(part.nbytes for part in parts) / best
            n *= 2


def measure(size: int) -> dict[str, float]:
    """Both, for weights of ``size`` bytes: {"operations_per_second", "bytes_per_second"}."""
    return {"operations_per_second": products(), "bytes_per_second": bandwidth(size)}
