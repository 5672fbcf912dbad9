"""Workers as seen from the command that sends them orders; ``zoo.bench.worker`` is the other end."""

import json
import os
import select
import subprocess
import sys
import tempfile
from typing import Any

from zoo import xla

_HZ = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Failed(Exception):
    """A worker that died, or said what went wrong: one line."""


class Worker:
    """A contestant's process."""

    def __init__(self, env: dict[str, str], checkout: str | None = None, patience: float = 600):
        """env: on top of ours. checkout: another folder of this project, whose code is run instead.
        patience: seconds that an answer may take."""
        self.patience = patience
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [sys.executable, "-m", "zoo.bench.worker", *([checkout] if checkout else [])]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment() | env,
        )

    def send(self, do: str, **order: Any) -> None:
        """Raises Failed where the process is dead."""
        try:
            self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise Failed(self._last_words()) from None

    def answer(self) -> dict[str, Any]:
        """The answer to the last order. Raises Failed for a dead process and for a fault in it."""
        if not select.select([self._process.stdout], [], [], self.patience)[0]:
            self._process.kill()
            raise Failed(f"no answer within {self.patience:.0f} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise Failed(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Sends an order and waits for the answer."""
        self.send(do, **order)
        return self.answer()

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float | None:
        """Processor time that it has used so far, of all its threads; None where nobody tells."""
        try:
            with open(f"/proc/{self._process.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / _HZ

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            file.close()

    def _last_words(self):
        self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return f"its process ended with code {self._process.returncode}" + (
            f": {lines[-1][:300]}" if lines else ""
        )


def environment() -> dict[str, str]:
    """What workers start from: JAX as it comes, computing right numbers, and this project to import."""
    env = dict(os.environ)
    for name in ("JAX_NUMPY_DTYPE_PROMOTION", "JAX_NUMPY_RANK_PROMOTION"):
        env.pop(name, None)  # other people's layers need not be strict
    # Compiling is part of a first call; and NumPy's own threads are not what is measured.
    env |= {
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_COMPILATION_CACHE": "0",
        "OPENBLAS_NUM_THREADS": "1",
    }
    given = xla.in_force()
    right = [flag.text for flag in xla.missing(given) if flag.wrong]
    env["XLA_FLAGS"] = " ".join([given, *right]).strip()
    env["PYTHONPATH"] = os.pathsep.join(p or os.getcwd() for p in sys.path)
    return env


def machine_cpu_seconds() -> float | None:
    """Processor time that all processes together have used so far; None where nobody tells."""
    try:
        with open("/proc/stat") as file:
            user, nice, system = file.readline().split()[1:4]
    except OSError:
        return None
    return (int(user) + int(nice) + int(system)) / _HZ
