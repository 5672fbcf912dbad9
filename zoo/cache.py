"""JAX's persistent compilation cache, in the user's cache folder: a second start compiles nothing.

What JAX is told in its own variables wins: JAX_COMPILATION_CACHE_DIR for another folder ("" for none),
JAX_ENABLE_COMPILATION_CACHE=false for no cache. The folder can be deleted at any time.
"""

import hashlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

_DAMAGED = re.compile("Error reading persistent compilation cache entry for '(.*?)'")

# Prints how many programs came out of the cache instead of the compiler.
_PROBE = """
import jax
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name.endswith("/cache_hits")))
jax.jit(lambda x: x @ x.T)(jax.numpy.ones((9, 9))).block_until_ready()
print(sum(hits))
"""


def use(jaxlib: str) -> None:
    """Turns the cache on for this version of jaxlib; JAX reads its settings when it is imported."""
    if "jax" in sys.modules:
        return
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # No home, or one that cannot be written: everything is compiled again.
    with suppress(OSError, RuntimeError):
        folder = folder_of(jaxlib)
        # A command that starts another has told it the folder already.
        if os.environ.get("JAX_COMPILATION_CACHE_DIR", str(folder)) != str(folder):
            return
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK) and (not _doubtful() or _accepted(folder)):
            os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
            _mend(folder)


def without_folder(environment: dict[str, str], jaxlib: str) -> dict[str, str]:
    """An environment, without the folder that ``use`` has put there: it is that of so many cores."""
    with suppress(RuntimeError):
        if environment.get("JAX_COMPILATION_CACHE_DIR") == str(folder_of(jaxlib)):
            del environment["JAX_COMPILATION_CACHE_DIR"]
    return environment


def base() -> Path:
    """This project's folder in the user's cache. Raises RuntimeError where there is no home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lstm-zoo"


def folder_of(jaxlib: str) -> Path:
    """The folder for this version of jaxlib, kind of processor and number of cores.

    JAX's own keys hold the version and the flags, but programs are compiled for the processor at hand.
    """
    kind = hashlib.sha256("\n".join(_processor()).encode()).hexdigest()[:12]
    return base() / "xla" / f"{jaxlib}-{kind}"


def comes_back(folder: Path) -> bool:
    """Whether a program that one process stores in a folder is accepted by another, without complaint."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, "-c", _PROBE]
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode == 0 and int(done.stdout) > 0 and "aot_loader" not in done.stderr


def _mend(folder):
    """Deletes what JAX cannot read, such as a program whose writing was killed: JAX compiles it again, but
    would never write over it. It does not tell in which file, but the name of the program."""
    show = warnings.showwarning

    def showwarning(message, *rest, **more):
        if not (damaged := _DAMAGED.match(str(message))):
            show(message, *rest, **more)
            return
        for file in folder.glob(f"{damaged[1]}-*-cache"):
            file.unlink(missing_ok=True)

    warnings.showwarning = showwarning


def cores() -> int:
    """The cores that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(usable(0)) if usable else os.cpu_count() or 1


def _accepted(folder):
    """``comes_back``, tried once for a folder."""
    answer = folder / "accepted"
    if not answer.exists():
        with tempfile.TemporaryDirectory() as empty:
            answer.write_text(str(comes_back(Path(empty))))
    return answer.read_text() == "True"


def _doubtful():
    """Processors with AVX-512, of which JAX's issue 38445 tells that they accept no program again."""
    return any("avx512f" in line for line in _processor())


def _processor():
    """What compiled programs depend on: architecture, model, features, number of usable cores."""
    yield platform.machine()
    yield str(cores())
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if not line.strip():  # the first processor's end
                    break
                if line.startswith(("model name", "flags", "Features", "CPU part")):
                    yield line
    except OSError:  # no Linux
        yield platform.processor()
