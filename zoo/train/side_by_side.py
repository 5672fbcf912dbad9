"""Seeds side by side: each is trained by a process of its own, on its share of the cores.

The products of most of our models are too small for several cores: two trainings with a core each made 1.6
times the steps of one with both (char_lm:docs), and the same bits.
"""

import os
import queue
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from zoo import cache, xla
from zoo.errors import UserError
from zoo.terminal import line
from zoo.train.signals import Signals

_LOOK = 0.1  # seconds between looks at signals


def train(words: list[str], run: Path, seeds: int, jobs: int) -> int:
    """Trains seed-0, seed-1, … of ``run``, ``jobs`` at a time, by ``zoo train`` with arguments ``words``.

    One that fails says why and is not finished then; the others go on. Returns 0, or the exit code of a
    signal, after which all have saved.
    """
    cores, shares, running, told = _cores(), queue.SimpleQueue(), {}, set()
    for i in range(jobs):
        shares.put(cores[i * len(cores) // jobs : (i + 1) * len(cores) // jobs])

    def one(seed):
        if signals.caught:
            return
        with _begun([*words, f"--config.seed={seed}", f"--run={run}/seed-{seed}"]) as process:
            running[seed] = process
            for text in process.stderr:
                line.say(f"seed {seed}: {text.rstrip()}")
        del running[seed]

    with Signals() as signals, ThreadPoolExecutor(jobs, "", _pin, (shares,)) as pool:
        trainings = waiting = [pool.submit(one, seed) for seed in range(seeds)]
        while waiting:
            line.show(f"training seeds {', '.join(map(str, sorted(running)))} of {seeds}")
            waiting = wait(waiting, _LOOK).not_done
            for seed, process in list(running.items()) if signals.caught else ():
                if seed not in told:
                    told.add(seed)
                    process.send_signal(signals.caught)
    for training in trainings:
        training.result()  # raises what kept a process from starting
    return 128 + signals.caught if signals.caught else 0


def check(jobs: int) -> None:
    """Raises UserError where so many trainings cannot run side by side."""
    if xla.guessed_platform() != "cpu":
        raise UserError(f"--jobs={jobs}: trainings run side by side on CPUs only; leave it out")
    if jobs > (cores := cache.cores()):
        raise UserError(f"--jobs={jobs}: each needs a core, and this process may use {cores}")


def _begun(words):
    """The process of one training. It does not hear Ctrl-C itself: it is told to stop once, and saves."""
    # Programs are compiled for a number of cores.
    environment = cache.without_folder(dict(os.environ), xla.jaxlib())
    environment["PYTHONPATH"] = os.pathsep.join(p or os.getcwd() for p in sys.path)
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", "train", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _cores():
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if _CAN_PIN else list(range(cache.cores()))


def _pin(shares):
    """Ties a thread, and the processes that it starts, to a share of the cores."""
    if _CAN_PIN:
        os.sched_setaffinity(0, shares.get())


_CAN_PIN = hasattr(os, "sched_setaffinity")  # Linux
