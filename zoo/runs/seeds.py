"""A folder of --seeds: the runs of several seeds, side by side in seed-0, seed-1, …"""

import math
import sys
from pathlib import Path

from zoo import tasks
from zoo.errors import UserError
from zoo.runs import folder


def runs(path: Path) -> list[Path]:
    """The runs in a folder of seeds that have begun, in the order of their numbers; none in any other
    folder."""
    if (path / "config.json").exists() or not path.is_dir():
        return []
    found = [p for p in path.glob("seed-*") if (p / "config.json").exists()]
    return sorted(found, key=lambda p: (len(p.name), p.name))


def best(path: Path, flag: str = "run") -> tuple[Path, str]:
    """Of a folder of seeds, given as ``flag``, the finished run with the best score, and a sentence that
    says so; any other folder as it is, and "".

    The score is what the run has kept its best parameters by, else the first of its experiment's results.
    """
    if not (found := runs(path)):
        return path, ""
    results = {run: result for run in found if (result := folder.read_result(run))}
    if not results:
        raise UserError(
            f"--{flag}={path}: none of its {len(found)} seeds is finished yet; train it first"
        )
    name, sign = _score(folder.read_config(next(iter(results))))
    scores = {run: _number(result, name, sign) for run, result in results.items()}
    run = min(scores, key=scores.get)
    said = f", {name} {sign * scores[run]:.4g}" if math.isfinite(scores[run]) else ""
    which = (
        f"the best of {len(scores)} seeds" if len(scores) > 1 else "the only seed that is finished"
    )
    return run, f"{run}: {which}{said}"


def chosen(path: Path, flag: str = "run") -> Path:
    """The run that a command uses: of a folder of seeds the best one, which is said on stderr."""
    run, said = best(path, flag)
    if said:
        print(said, file=sys.stderr)
    return run


def _score(config):
    """The metric that tells which seed is best, and 1 where less is better, else -1."""
    if config.best.metric:
        return config.best.metric, 1 if config.best.mode == "min" else -1
    known = tasks.module(config.task, "config").METRICS
    name = next((row[0] for row in config.results if row[0] in known), "train_loss")
    return name, -1 if name in known and known[name].better == "higher" else 1


def _number(result, name, sign):
    """A metric times ``sign``; of a bank the mean of its members. Infinity where it was not measured."""
    value = result["metrics"].get(name)
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
        return math.inf
    return sign * sum(numbers) / len(numbers)
