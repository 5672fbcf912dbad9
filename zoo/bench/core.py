"""One LSTM layer: our time loop beside those of other libraries, forward and with its gradient.

python -m zoo.bench core                                   all shapes, all contestants that are installed
python -m zoo.bench core --quick                           three small shapes, three rounds
python -m zoo.bench core --shapes=256,128,100,256 --contestants=ours,torch --out=core.json --plot=core.png

Each contestant has a process of its own, and all take turns. Before a shape is timed, outputs and
gradients of each are held against NumPy in float64. "forward" keeps nothing for a gradient; "both" is the
value and the gradient of a weighted sum of the outputs with respect to parameters and inputs. A ratio
above 1 says that ours is faster; it is the median of each round's, with its quartiles. The floor is the
time that the operations take at the speed of the fastest product, or that reading the recurrent weights
takes, measured in the same run, whichever is longer.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from absl import flags

from zoo.bench import problem, rounds
from zoo.bench.contestants import CONTESTANTS, Contestant
from zoo.bench.process import Failed, Load, Worker
from zoo.errors import UserError, nearest

SHAPES = (
    (128, 128, 5, 44),
    (256, 128, 100, 256),
    (512, 64, 100, 512),
    (128, 1, 100, 64),
    (512, 1, 100, 512),
    (1024, 32, 64, 512),
    (256, 32, 32, 64),
    (384, 32, 32, 64),
)
QUICK = ((128, 128, 5, 44), (128, 1, 100, 64), (256, 32, 32, 64))
MODES = {"forward": "forward", "both": "forward + backward"}
TOLERANCE = 1e-4  # of the largest value of an array
_DEFAULT = tuple(name for name in CONTESTANTS if name != "segments")


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    flags.DEFINE_bool("quick", False, "three small shapes, three rounds", **define)
    flags.DEFINE_integer("rounds", None, "turns of each; 9, or 3 with --quick", **define)
    flags.DEFINE_string(
        "shapes", None, "H,B,T,D;H,B,T,D;... in place of those of the table", **define
    )
    flags.DEFINE_list(
        "contestants", None, f"some of {', '.join(CONTESTANTS)}; the first is the measure", **define
    )
    flags.DEFINE_string(
        "beside", None, "another checkout of this project, as a contestant", **define
    )
    flags.DEFINE_string("plot", None, "PNG file to write", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    """(the result, the exit code): 1 where a contestant died or computed something else."""
    turns = (3 if values.quick else 9) if values.rounds is None else values.rounds
    if turns < 1:
        raise UserError(f"--rounds={turns}: must be at least 1")
    shapes = parse_shapes(values.shapes) if values.shapes else (QUICK if values.quick else SHAPES)
    chosen = choose(values.contestants, values.beside)
    absent = {name: lacking for name, c in chosen.items() if (lacking := c.absent())}
    for name, lacking in absent.items():
        print(f"{chosen[name].title}: absent, {lacking} is not installed", file=sys.stderr)
    there = {name: c for name, c in chosen.items() if name not in absent}
    measured, failed = measure(there, [problem.Shape(*s) for s in shapes], turns)
    result = {
        "rounds": turns,
        "contestants": {name: c.title for name, c in there.items()},
        "absent": absent,
        "failed": failed,
        "shapes": measured,
    }
    return result, int(bool(failed))


def parse_shapes(text: str) -> list[problem.Shape]:
    """Shapes from "H,B,T,D;H,B,T,D". Raises UserError for anything but four whole numbers above 0."""
    shapes = []
    for part in text.split(";"):
        numbers = part.split(",")
        if len(numbers) != 4 or not all(n.strip().isdecimal() and int(n) for n in numbers):
            raise UserError(
                f"--shapes: {part!r} is no shape: give four whole numbers above 0, H,B,T,D "
                "(units, batch, time steps, inputs)"
            )
        shapes.append(problem.Shape(*map(int, numbers)))
    return shapes


def choose(names: list[str] | None, beside: str | None = None) -> dict[str, Contestant]:
    """Contestants by name. Raises UserError for an unknown one, and for a folder without this project."""
    chosen = {}
    for name in names or _DEFAULT:
        if name not in CONTESTANTS:
            near = nearest(name, CONTESTANTS)
            hint = f"did you mean {near!r}? " if near else ""
            known = ", ".join(CONTESTANTS)
            raise UserError(f"--contestants={name}: {hint}It can be some of {known}")
        chosen[name] = CONTESTANTS[name]
    if beside is not None:
        if not (Path(beside) / "zoo/unroll").is_dir():
            raise UserError(f"--beside={beside}: no checkout of this project")
        there = str(Path(beside).resolve())
        chosen["beside"] = Contestant(f"ours, {beside}", "ours", checkout=there)
    return chosen


def measure(contestants: dict[str, Contestant], shapes, turns: int) -> tuple[list[dict], dict]:
    """(a record a shape, {"name": "what failed"})."""
    records, failed = [], {}
    with ExitStack() as stack:
        workers = {name: Worker(c.env, c.checkout) for name, c in contestants.items()}
        for worker in workers.values():
            stack.callback(worker.close)
        for shape in shapes:
            print(f"shape H {shape[0]}, B {shape[1]}, T {shape[2]}, D {shape[3]}", file=sys.stderr)
            records.append(_shape(shape, contestants, workers, turns, failed))
    return records, failed


def _shape(shape, contestants, workers, turns, failed):
    alive = dict(workers)

    def lost(name, error):
        """A contestant that died is out for good; one that erred sits this shape out."""
        alive.pop(name, None)
        if workers.get(name) is not None and not workers[name].alive():
            workers.pop(name)
        failed.setdefault(name, str(error))
        print(f"{contestants[name].title}: {error}", file=sys.stderr)

    def each(do, **order):
        """The answers to an order that all get at once, so that they compile side by side."""
        answers = {}
        for name in list(alive):
            try:
                own = contestants[name]
                if do == "prepare":
                    module = f"zoo.bench.contestants.{own.module}"
                    order = {"module": module, "options": {"shape": list(shape), **own.options}}
                alive[name].send(do, **order)
            except Failed as error:
                lost(name, error)
        for name in list(alive):
            try:
                answers[name] = alive[name].answer()
            except Failed as error:
                lost(name, error)
        return answers

    each("prepare")
    errors = _check(shape, alive, lost)
    record = {"shape": list(shape), "errors": errors, "floor": {}, "modes": {}}
    best = _speeds(alive, shape)
    load = Load(workers)
    for mode in MODES:
        calls = {}
        timers = {name: _timer(load, name, mode) for name in alive}
        for name in list(timers):
            try:
                calls[name] = rounds.repeats(timers[name])
            except Failed as error:
                lost(name, error)
        timers = {
            name: _excused(timer, name, lost) for name, timer in timers.items() if name in alive
        }
        seconds = rounds.interleaved(timers, calls, turns)
        seconds = {name: s for name, s in seconds.items() if name in alive}
        first = seconds.get(next(iter(contestants)))
        record["modes"][mode] = {name: rounds.summary(s, first) for name, s in seconds.items()}
        if best:
            record["floor"][mode] = floor(shape, mode, best)
    record["speeds"], record["load"] = best, load.shares()
    return record


def table(result: dict) -> str:
    """The result as Markdown: a row a shape and mode; milliseconds of the measure, ratios of the others."""
    names = [
        n for n in result["contestants"] if any(n in r["modes"]["both"] for r in result["shapes"])
    ]
    first = names[0] if names else ""
    titles = [result["contestants"][n] for n in names]
    heads = [
        "H, B, T, D",
        "",
        *(f"{t}, ms" if i == 0 else t for i, t in enumerate(titles)),
        "floor",
    ]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for mode, words in MODES.items():
        for record in result["shapes"]:
            of = record["modes"][mode]
            cells = [", ".join(map(str, record["shape"])), words]
            for name in names:
                if name not in of:
                    cells.append("–")
                elif name == first:
                    cells.append(f"{1000 * of[name]['median']:.3g}")
                else:
                    cells.append(ratio(of[name]))
            share = record["floor"].get(mode, 0) / of[first]["median"] if first in of else 0
            lines.append(_line([*cells, f"{share:.0%}" if share else "–"]))
        means = [_mean(result, mode, name) for name in names[1:]]
        lines.append(_line(["geometric mean", words, "", *means, ""]))
    return "\n".join(lines)


def ratio(figures: dict) -> str:
    """A ratio and the quartiles of its rounds."""
    if "ratio" not in figures:
        return "–"
    low, high = figures["quartiles"]
    return f"{figures['ratio']:.2f} ({low:.2f} to {high:.2f})"


def _mean(result, mode, name):
    """The geometric mean of the ratios of all shapes; a dash where one is lacking."""
    ratios = [record["modes"][mode].get(name, {}).get("ratio") for record in result["shapes"]]
    return "–" if None in ratios or not ratios else f"{rounds.geometric_mean(ratios):.2f}"


def _line(cells):
    return f"| {' | '.join(cells)} |"


def floor(shape: problem.Shape, mode: str, speeds: dict[str, float]) -> float:
    """Seconds that a mode takes at least, at these speeds."""
    operations = shape.operations() * (3 if mode == "both" else 1)
    read = shape.weight_bytes() * shape.steps * (2 if mode == "both" else 1)
    return max(operations / speeds["operations_per_second"], read / speeds["bytes_per_second"])


def _check(shape, alive, lost):
    """The largest error of each; who has more than TOLERANCE is out."""
    want, errors = problem.solve(problem.make(shape)), {}
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "arrays.npz")
        for name in list(alive):
            try:
                worst = 0.0
                for mode in MODES:
                    alive[name].ask("save", run=mode, file=file)
                    with np.load(file) as arrays:
                        for key, array in arrays.items():
                            if (off := problem.error(array, want[key])) > TOLERANCE:
                                raise Failed(f"computes something else: {key} is off by {off:.1e}")
                            worst = max(worst, off)
                errors[name] = float(f"{worst:.2g}")
            except Failed as error:
                lost(name, error)
    return errors


def _speeds(alive, shape):
    """What the machine can do, measured in the process of the first contestant in JAX."""
    for name in ("ours", "plain", "segments", "beside"):
        if name in alive:
            size = {"size": shape.weight_bytes()}
            order = {"module": "zoo.bench.floor", "function": "measure", "options": size}
            try:
                return alive[name].ask("call", **order)["value"]
            except Failed as error:
                print(f"the floor could not be measured: {error}", file=sys.stderr)
    return {}


def _timer(load, name, mode):
    return lambda n: load.timed(name, {"run": mode, "repeats": n})


def _excused(timer, name, lost):
    """A timer that puts its contestant out where it fails, so that the others go on."""
    gone = False

    def seconds(n):
        nonlocal gone
        if gone:
            return float("nan")
        try:
            return timer(n)
        except Failed as error:
            gone = True
            lost(name, error)
            return float("nan")

    return seconds
