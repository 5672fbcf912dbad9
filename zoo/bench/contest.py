"""Contestants in processes of their own that take turns at the same work."""

import random
import sys
import time
from functools import partial
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from typing import Any, NamedTuple

from zoo.bench import rounds
from zoo.bench.process import Failed, Worker, environment, machine_cpu_seconds
from zoo.errors import UserError, nearest

# Of a core; what other processes may use before it is told.
_BUSY = 0.2


class Contestant(NamedTuple):
    """title:    as tables name it
    module:   its ``prepare(**options)`` gives {name: zoo.bench.worker.Run}
    packages: what it needs installed
    options, env: of its ``prepare``, and of its process
    checkout: another folder of this project, whose code runs instead of this one's
    """

    title: str
    module: str
    packages: tuple[str, ...] = ()
    options: dict = {}  # noqa: RUF012
    env: dict = {}  # noqa: RUF012
    checkout: str | None = None


def in_half(contestant: Contestant) -> bool:
    """Whether it multiplies in bfloat16."""
    return contestant.options.get("precision") == "bfloat16"


def choose(names: list[str], known: dict[str, Contestant]) -> dict[str, Contestant]:
    """Contestants by name. Raises UserError for an unknown one."""
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}? " if near else ""
            raise UserError(f"--contestants={name}: {hint}It can be some of {', '.join(known)}")
    return {name: known[name] for name in names}


def about(contestants: dict[str, Contestant], lacking: dict[str, str], failed: list) -> dict:
    """What every result says of who took part."""
    there = {name: c for name, c in contestants.items() if name not in lacking}
    packages = sorted({package for c in there.values() for package in c.packages})
    named = packages_distributions() if packages else {}
    return {
        "contestants": [[name, c.title] for name, c in there.items()],
        "absent": lacking,
        "failed": failed,
        "versions": {package: version(named[package][0]) for package in packages},
        "xla_flags": environment()["XLA_FLAGS"],
    }


def absent(contestants: dict[str, Contestant]) -> dict[str, str]:
    """Those that are not installed, and what they lack; each is told in a line."""
    lacking = {}
    for name, contestant in contestants.items():
        if packages := [p for p in contestant.packages if find_spec(p) is None]:
            lacking[name] = ", ".join(packages)
            print(f"{contestant.title}: absent, {lacking[name]} not installed", file=sys.stderr)
    return lacking


class Contest:
    """A context in which the contestants' processes live.

    alive:  who takes part in the work at hand, by name
    failed: [name, the work, what went wrong], of all so far. Who fails sits out the work at hand, and
            all that follows where its process is dead; the others go on.
    """

    def __init__(self, contestants: dict[str, Contestant], patience: float = 600):
        """patience: seconds that any of their answers may take"""
        self._patience = patience
        self.contestants = contestants
        self.alive: dict[str, Worker] = {}
        self.failed: list[list[str]] = []
        self._workers: dict[str, Worker] = {}
        self._work, self._load = "", _Load()

    def __enter__(self):
        for name, c in self.contestants.items():
            self._workers[name] = Worker(c.env, c.checkout, self._patience)
        return self

    def __exit__(self, *_):
        for worker in self._workers.values():
            worker.close()

    def begin(self, work: str, options: dict[str, Any], names: list[str] | None = None) -> None:
        """All, or those of ``names``, prepare for a work side by side; ``work`` names it in messages."""
        if work != self._work:
            self._work, self._load, self.alive = work, _Load(), {}
        for name in list(self._workers) if names is None else names:
            contestant, worker = self.contestants[name], self._workers.get(name)
            if worker is None:
                continue
            self.alive[name] = worker
            own = {"module": contestant.module, "options": options | contestant.options}
            try:
                worker.send("prepare", **own)
            except Failed as error:
                self.out(name, error)
        for name in [n for n in self.alive if names is None or n in names]:
            try:
                self.alive[name].answer()
            except Failed as error:
                self.out(name, error)

    def ask(self, name: str, do: str, **order: Any) -> dict[str, Any] | None:
        """The answer of one; None where it fails, and then it is out."""
        try:
            return self.alive[name].ask(do, **order)
        except Failed as error:
            self.out(name, error)
            return None

    def out(self, name: str, error: object) -> None:
        """Puts a contestant out of the work at hand, and says why in one line."""
        self.alive.pop(name, None)
        if name in self._workers and not self._workers[name].alive():
            self._workers.pop(name).close()
        self.failed.append([name, self._work, str(error)])
        print(f"{self.contestants[name].title}, {self._work}: {error}", file=sys.stderr)

    def seconds(self, run: str, turns: int, least: float = rounds.ROUND) -> dict[str, list[float]]:
        """Seconds of a call of ``run``, of each who gets through: one figure a turn of ``least`` seconds.

        Nobody rests between turns: after 30 ms of rest, hand-offs between threads are slow for a while (an
        idle virtual core is slow to wake up). But each begins with calls that are not timed.
        """
        calls = {}
        for name in list(self.alive):
            try:
                timer = partial(self._timed, name, run)
                calls[name] = rounds.repeats(timer, least)
            except Failed as error:
                self.out(name, error)
        measured, rng = {name: [] for name in calls}, random.Random(0)
        for _ in range(turns):
            for name in rng.sample(list(calls), len(calls)):
                if name not in self.alive:
                    continue
                n, warm = calls[name]
                try:
                    if warm:
                        self.alive[name].ask("time", run=run, repeats=warm)
                    measured[name].append(self._timed(name, run, n) / n)
                except Failed as error:
                    self.out(name, error)
        return {name: s for name, s in measured.items() if name in self.alive}

    def load(self) -> dict[str, float]:
        """What else ran during the work at hand, as shares of one core: "waiting", by contestants whose
        turn it was not, and "others", by all other processes. Empty where the system does not tell.
        Much of the latter is told."""
        shares = self._load.shares()
        if shares.get("others", 0) > _BUSY:
            busy = f"other processes used {shares['others']:.0%} of a core"
            print(
                f"warning, {self._work}: {busy}; measure again where it is quiet", file=sys.stderr
            )
        return shares

    def _timed(self, name, run, n):
        before = self._used()
        seconds = self.alive[name].ask("time", run=run, repeats=n)["seconds"]
        self._load.add(name, before, self._used())
        return seconds

    def _used(self):
        """Processor seconds so far by name; "" is the machine's. And the clock."""
        used = {name: worker.cpu_seconds() for name, worker in self._workers.items()}
        return time.perf_counter(), {"": machine_cpu_seconds()} | used


class _Load:
    def __init__(self):
        self._wall = self._waiting = self._others = 0.0

    def add(self, name, before, after):
        if None in before[1].values() or None in after[1].values():
            return
        used = {who: after[1][who] - before[1][who] for who in after[1]}
        all_of_it = used.pop("")
        self._wall += after[0] - before[0]
        self._waiting += sum(seconds for who, seconds in used.items() if who != name)
        self._others += all_of_it - sum(used.values())

    def shares(self):
        if not self._wall:
            return {}
        shares = {"waiting": self._waiting, "others": self._others}
        return {name: round(max(0.0, s) / self._wall, 3) for name, s in shares.items()}
