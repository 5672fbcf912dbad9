"""What this project needs of XLA, by version and platform, and the one place that sets it.

XLA reads XLA_FLAGS when JAX starts its backend, at the first use of a device; JAX reads its own
settings (JAX_…) when it is imported. ``prepare`` comes before both: every command begins with it. It
adds to what the user has set and overrides none of it. Nothing here imports JAX, so that --help is quick.

Faults of jaxlib on CPUs, by their numbers among JAX's issues. The first four come of reductions that
XLA hands to YNNPACK, and the flag below keeps them from it; ``zoo.canary`` has programs that show them.

39103   0.10.2           a product followed by a sum gives wrong rows, silently
39257   0.10.2, 0.11.0   a product with a broadcast and a sum over arrays of rank 7 or 8 crashes
40412   0.10.2           another such crash
 -      0.10.1           the mean of many rows of a product crashes (seen here with 64,753 rows of 61)
38445   0.9.1 - 0.10.1   a CPU with AVX-512 accepts no program of the persistent compilation cache
40101   0.11.1           a small write into an array within a loop rewrites all of it: slow, not wrong

One is open in every version, and no flag cures it (openxla/xla 49176): an array that is written over a
shifted part of itself and then reshaped to a first axis of 1 is wrong. No program here does that.
"""

import mmap
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

from zoo import cache
from zoo.errors import UserError

OLDEST = "0.10.1"  # of jaxlib; what came before was never checked


class Flag(NamedTuple):
    """A flag of XLA that jaxlib needs from the version ``since`` on, and no more from ``below`` on.

    platform: "cpu", or another name in JAX_PLATFORMS; "" for every one
    wrong:    what may happen without it, in words; "" where it only makes things faster
    """

    text: str
    since: str
    below: str
    platform: str = ""
    wrong: str = ""


FLAGS = (
    Flag(
        "--xla_cpu_experimental_ynn_fusion_type=-reduce",
        since="0.10.1",
        below="0.11.1",
        wrong="computes wrong numbers or crashes on CPUs where a product is followed by a sum",
    ),
    # Loops over little data become one kernel each, instead of a call for every operation in them.
    Flag(
        "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=65536",
        since="0.10.2",
        below="0.11.0",
        platform="cpu",
    ),
)

SMALL = 65536  # bytes of the arrays of a loop that the flag above makes one kernel of


def prepare() -> None:
    """Sets what the installed jaxlib needs: flags of XLA, and JAX's compilation cache in the user's folder.

    Where JAX has started its backend already nothing can be changed any more, and nothing is. Raises
    UserError for a jaxlib that is refused, and for an XLA_FLAGS that XLA would end the process for.
    """
    if _numbers(jaxlib()) < _numbers(OLDEST):
        raise UserError(
            f"jaxlib {jaxlib()} is older than {OLDEST}, the oldest that was checked: "
            f"pip install 'jax>={OLDEST}'"
        )
    if started():
        return
    given = _given()
    _check(_names(given))
    if add := [flag.text for flag in missing(given)]:
        os.environ["XLA_FLAGS"] = " ".join([given, *add]).strip()
    cache.use(jaxlib())


def divide_cpu(count: int) -> None:
    """Makes ``count`` devices of a CPU, at most one a core. Where the user's XLA_FLAGS say how many, where
    JAX has started and on other platforms nothing is done.

    Devices share one pool of threads. Where there are not two cores for each, a product that is divided
    among the threads waits for those of the other devices: then each computes alone, to the same bits.
    """
    name, alone = "xla_force_host_platform_device_count", "xla_cpu_multi_thread_eigen"
    cores = cache.cores()
    if not 1 < count <= cores or guessed_platform() != "cpu" or started() or name in in_force():
        return
    flags = [in_force(), f"--{name}={count}"]
    if cores < 2 * count and alone not in in_force():
        flags.append(f"--{alone}=false")
    os.environ["XLA_FLAGS"] = " ".join(flags).strip()


def needed() -> list[Flag]:
    """The flags that the installed jaxlib needs on this platform."""
    found, where = _numbers(jaxlib()), guessed_platform()
    return [
        flag
        for flag in FLAGS
        if _numbers(flag.since) <= found < _numbers(flag.below) and flag.platform in ("", where)
    ]


def missing(given: str) -> list[Flag]:
    """Those of ``needed`` that a value of XLA_FLAGS does not set."""
    return [flag for flag in needed() if not _names(flag.text) & _names(given)]


def for_small_loops() -> dict[str, str] | None:
    """Options of ``jax.jit`` for loops of less than ``SMALL`` bytes: no product in them goes to YNNPACK,
    whose calls would keep a loop from becoming one kernel. None where the flag for that is not set."""
    if "xla_cpu_small_while_loop_byte_threshold" not in in_force() or guessed_platform() != "cpu":
        return None
    return {"xla_cpu_experimental_ynn_fusion_type": ""}


def in_force() -> str:
    """The value of XLA_FLAGS."""
    return os.environ.get("XLA_FLAGS", "")


def warn() -> None:
    """Warns whoever uses JAX on a CPU without a flag that right numbers need; no backend is started."""
    wrong = [flag for flag in missing(in_force()) if flag.wrong]
    if wrong and guessed_platform() == "cpu":
        warnings.warn(
            f"jaxlib {jaxlib()} {wrong[0].wrong}: set XLA_FLAGS={wrong[0].text} before JAX starts, or "
            "call zoo.xla.prepare() first",
            RuntimeWarning,
            stacklevel=3,
        )


@lru_cache
def jaxlib() -> str:
    """The installed version of jaxlib."""
    return metadata.version("jaxlib")


def started() -> bool:
    """Whether JAX has started a backend in this process."""
    bridge = sys.modules.get("jax._src.xla_bridge")  # there is no public name for it
    return bridge is not None and bridge.backends_are_initialized()


def guessed_platform() -> str:
    """The platform that JAX computes on, as far as it can be told without starting it: that of
    JAX_PLATFORMS, else "cpu", or "accelerator" where a plugin for one is installed."""
    if asked := os.environ.get("JAX_PLATFORMS", ""):
        return asked.split(",")[0]
    plugins = metadata.entry_points(group="jax_plugins") or util.find_spec("jax_plugins")
    return "accelerator" if plugins else "cpu"


def _given():
    """What the user has set in XLA_FLAGS, which may also name a file of flags. Raises UserError where it
    is neither."""
    value = os.environ.get("XLA_FLAGS", "").strip()
    if value.startswith("-") or not value:
        return value
    try:
        return Path(value).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UserError(
            f"XLA_FLAGS={value}: neither flags, which begin with --, nor a file of them"
        ) from None


def _names(flags):
    """The names in a text such as "--one=1 --two='2 3'", each once, in order."""
    try:
        words = shlex.split(flags)
    except ValueError:  # a quotation mark alone
        words = flags.split()
    return dict.fromkeys(word.partition("=")[0] for word in words).keys()


@lru_cache
def _library():
    """The library that holds the names of XLA's flags; None where it is not where it used to be."""
    spec = util.find_spec("jaxlib")
    folders = spec.submodule_search_locations if spec else []
    return next((file for f in folders for file in Path(f).glob("*jax_common.*")), None)


def _check(names):
    """Raises UserError that names the flags which this XLA does not know: for such it ends the process."""
    if wrong := unknown(names):
        raise UserError(f"XLA_FLAGS: jaxlib {jaxlib()} knows no flag {', '.join(wrong)}; remove it")


def unknown(names: Iterable[str]) -> list[str]:
    """Those of these names of flags, such as "--xla_dump_to", that this XLA does not know.

    A name that it knows stands in its library as text, which is found in 5 ms; to miss one takes 0.3 s.
    """
    if not names or _library() is None:
        return []
    with (
        open(_library(), "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        return [
            name
            for name in names
            if not re.fullmatch(r"--\w+", name) or text.find(name[2:].encode() + b"\0") < 0
        ]


def _numbers(version):
    """(0, 10, 2) of "0.10.2", "0.10.2.dev1"."""
    return tuple(map(int, re.match(r"\d+(\.\d+)*", version)[0].split(".")))
