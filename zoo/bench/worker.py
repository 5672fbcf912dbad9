"""A contestant in a process of its own: it takes orders, one JSON line each, and answers with one.

    {"do": "prepare", "module": M, "options": {...}}   M.prepare(**options) -> {name: Run}, kept
    {"do": "time", "run": NAME, "repeats": N}           seconds of N calls
    {"do": "save", "run": NAME, "file": F}              the arrays of a call, as .npz
    {"do": "peak", "run": NAME}                         bytes that a call needs at its peak
    {"do": "call", "module": M, "function": F, "options": {...}}     what a function returns

``zoo.bench.process`` is the other end. A fault is answered with {"error": "one line"}.
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Run(NamedTuple):
    """What is timed, and how its result is read.

    call:   computes, waits until it is done, and returns what came out
    arrays: what came out -> NumPy arrays by name, in the layout of ``zoo.bench.problem``
    memory: bytes of temporary arrays, where the compiler tells
    many:   n -> n calls as one, for those who do several at once
    """

    call: Callable[[], Any]
    arrays: Callable[[Any], dict[str, np.ndarray]] = lambda out: {}
    memory: Callable[[], int | None] = lambda: None
    many: Callable[[int], Any] | None = None


def main(orders, answers):
    runs: dict[str, Run] = {}
    for line in orders:
        order = json.loads(line)
        try:
            answer = _obey(order, runs)
        except Exception as error:
            traceback.print_exc()
            lines = str(error).strip().splitlines() or [""]
            answer = {"error": f"{type(error).__name__}: {lines[0][:300]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _obey(order, runs):
    do = order["do"]
    if do == "prepare":
        runs.clear()
        runs.update(importlib.import_module(order["module"]).prepare(**order["options"]))
        return {"runs": list(runs)}
    if do == "call":
        function = getattr(importlib.import_module(order["module"]), order["function"])
        return {"value": function(**order["options"])}
    run = runs[order["run"]]
    if do == "save":
        np.savez(order["file"], **run.arrays(run.call()))
        return {}
    if do == "peak":
        return {"resident": _peak(run.call), "temporary": run.memory()}
    began = time.perf_counter()
    if run.many is not None:
        run.many(order["repeats"])
    else:
        for _ in range(order["repeats"]):
            run.call()
    return {"seconds": time.perf_counter() - began}


def _peak(call):
    """Bytes by which the process grows at its peak during a call; None where the system does not tell."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak so far is forgotten: that of compiling is not asked for
        before = _status("VmRSS")
        call()
        return _status("VmHWM") - before
    except OSError:
        return None


def _status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


if __name__ == "__main__":
    # Libraries print where they like: what they say goes to stderr, answers to the pipe that was stdout.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if len(sys.argv) > 1:  # another checkout is measured: of this one only zoo.bench is imported
        sys.modules["zoo"].__path__[:] = [os.path.join(sys.argv[1], "zoo")]
    # By its name: what contestants import as zoo.bench.worker is then this same module.
    importlib.import_module("zoo.bench.worker").main(sys.stdin, answers)
