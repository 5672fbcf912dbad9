"""Texts larger than memory: speed and memory of a training, beside one on a small text.

python -m zoo.bench large                          1,000 MB beside 10 MB, 400 steps of char_lm:docs a round
python -m zoo.bench large --megabytes=100 --steps=200 --rounds=1

in memory:     the small text, its ids on the device
from a file:   the small text, its ids memory-mapped and fed ahead of the device
the large one: the same of the large text

The texts are this Python's documentation over and over, in a temporary folder, which needs twice their
size. Each training is a process of its own, in turns. Memory is the most that the process had at once (its
peak resident set): of the first run of a text, which encodes it, and of the others. Speed is that of the
steps; waiting for data counts, what comes before the first step does not.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from absl import flags

from zoo.bench import rounds, turns
from zoo.bench.markdown import line, ratio, rows
from zoo.data.text import corpus
from zoo.errors import UserError

_ROOT = Path(__file__).parent.parent.parent
_BLOCK = 1 << 20  # bytes that are written at once, about
# Runs a command and prints the most memory that it had, in KiB. A small process: what runs a command has a
# copy of its parent's memory first, which counts.
_PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    turns.define_rounds(values)
    flags.DEFINE_integer("megabytes", 1000, "of the large text", **define)
    flags.DEFINE_integer("small", 10, "megabytes of the small text", **define)
    flags.DEFINE_integer("steps", 400, "of each training", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    """Trainings in turns, after a round that encodes the texts and compiles."""
    turns.at_least(values, {"rounds": 1, "megabytes": 1, "small": 1, "steps": 10})
    if not (_ROOT / "train.py").is_file():
        raise UserError("this bench runs train.py: start it from a checkout of the project")
    first, peaks, seconds = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.txt"), Path(folder, "large.txt")
        _check_space(folder, values.small + values.megabytes)
        _write(small, values.small * 10**6)
        _write(large, values.megabytes * 10**6)
        contestants = {
            "in memory": (small, 10**9),
            "from a file": (small, 0),
            "the large one": (large, 0),
        }
        for round_ in range(values.rounds + 1):
            for name, (text, in_memory) in contestants.items():
                took, peak = _trained(Path(folder), text, in_memory, values.steps)
                print(f"{name}: round {round_} of {values.rounds}", file=sys.stderr)
                if round_:
                    seconds.setdefault(name, []).append(took)
                    peaks[name] = max(peaks.get(name, 0), peak)
                else:
                    first[name] = peak
    beside = seconds["in memory"]
    return {
        "bench": "large",
        "megabytes": [values.small, values.megabytes],
        "steps": values.steps,
        "rounds": values.rounds,
        "trainings": {name: rounds.summary(s, beside) for name, s in seconds.items()},
        "memory": {name: [first[name], peaks[name]] for name in peaks},
        "absent": {},
        "failed": [],
    }, 0


def caption(result: dict) -> str:
    """What stands above the table."""
    small, large = result["megabytes"]
    return (
        f"A training step on a text of {small:,} MB and on one of {large:,} MB, whose ids are read from a "
        "file ahead of the device; the most memory that the process had, in MiB"
    )


def table(result: dict) -> str:
    """A row a training: its time a step, that over the first one's, and its memory."""
    heads = ["text", "ms a step", "times the first", "memory, encoding", "memory, training"]
    lines = rows(heads)
    for name, figures in result["trainings"].items():
        took = f"{1e3 * figures['median']:.2f}"
        memory = [f"{kib / 1024:,.0f}" for kib in result["memory"][name]]
        if name == "in memory":
            memory[0] = "–"
        lines.append(line([name, took, ratio(figures), *memory]))
    return "\n".join(lines)


def _check_space(folder, megabytes):
    """Raises UserError where texts of so many megabytes and their ids have no room."""
    free = shutil.disk_usage(folder).free / 1e6
    if free < 2 * megabytes + 100:
        raise UserError(
            f"{folder}: {free:,.0f} MB free, {2 * megabytes + 100:,} needed: set TMPDIR to another "
            "folder, or give a smaller --megabytes"
        )


def _write(file, size):
    """A text of ``size`` bytes, ASCII."""
    text = corpus.corpus("docs").encode("ascii", "ignore")
    text *= max(1, _BLOCK // len(text))
    with file.open("wb") as out:
        for at in range(0, size, len(text)):
            out.write(text[: size - at])


def _trained(folder, text, in_memory, steps):
    """(seconds a step, the most memory in KiB) of a training in a process of its own."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = [
        "train.py",
        "--config=configs/char_lm.py:docs",
        f"--run={run}",
        f"--config.data.path={text}",
        f"--config.data.in_memory={in_memory}",
        "--config.adapt=False",  # one model for both
        "--config.data.valid=0.0001",
        f"--config.steps={steps}",
        f"--config.eval_every={steps}",
    ]
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache")},
    )
    if done.returncode:
        raise UserError(f"a training failed: {done.stderr.strip().splitlines()[-1]}")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return 1 / result["steps_per_second"], int(done.stdout)
