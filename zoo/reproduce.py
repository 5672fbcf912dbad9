"""Runs configs and writes what came out into runs/reference.json.

    python -m zoo.reproduce configs/char_lm.py:alice configs/char_lm.py:shakespeare [--seeds=N]
    python -m zoo.reproduce configs/window_lm.py:alice --config.model.precision=bfloat16

Each runs as ``python train.py`` in a process of its own, with the keys of configs that are given; runs that
are finished are not run again. Several seeds of a language model are evaluated as one model, too.
"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import json
import subprocess
import sys
from pathlib import Path

from absl import flags

from zoo import bounds, cli, config, tasks
from zoo.errors import UserError
from zoo.runs import reference


def main(argv):
    values = flags.FlagValues()
    flags.DEFINE_integer("seeds", 1, "seeds to run, from 0", flag_values=values)
    keys = [word for word in argv if word.startswith("--config.")]
    names = cli.parse(values, [w for w in argv if w not in keys], __doc__, positional=True)
    if names is None:
        return 0
    bounds.flag(values, "seeds", 1, 1000)
    if not names:
        raise UserError("no config given: configs/NAME.py:VARIANT, one or several")
    settings = [config.load(name) for name in names]
    for name, setting in zip(names, settings, strict=True):
        if code := reproduce(name, setting, values.seeds, keys):
            return code
    return 0


def reproduce(name: str, settings, seeds: int, keys: list[str]) -> int:
    """Runs one config with ``keys``, each --config.KEY=VALUE, over seeds and puts it into the reference.
    The exit code of train.py."""
    command = ["train.py", f"--config={name}", *keys]
    run = Path(f"runs/{settings.name}-{settings.variant}")
    command += [f"--run={run}"] + ([f"--seeds={seeds}"] if seeds > 1 else [])
    if code := subprocess.run([sys.executable, *command]).returncode:
        return code
    runs = [run / f"seed-{s}" for s in range(seeds)] if seeds > 1 else [run]
    results = [json.loads((r / "result.json").read_text(encoding="utf-8")) for r in runs]
    drop = ("config", "variant", "finished")
    entry = {
        "command": " ".join(["python", *command]),
        "machine": reference.machine(),
        "runs": [{k: v for k, v in r.items() if k not in drop} for r in results],
    }
    if seeds > 1 and tasks.module(settings.task, "together"):
        command = [sys.executable, *command, "--mode=eval"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            return done.returncode
        if together := json.loads(done.stdout).get("together"):
            entry["together"] = together
    reference.put(f"{settings.name}:{settings.variant}", entry)
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
