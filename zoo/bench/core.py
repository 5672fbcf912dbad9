"""One LSTM layer: our time loop beside those of other libraries, forward and with its gradient.

python -m zoo.bench core                                   all shapes, all contestants that are installed
python -m zoo.bench core --quick                           three small shapes, three rounds
python -m zoo.bench core --shapes=256,128,100,256 --contestants=ours,torch --out=core.json --plot=core.png
python -m zoo.bench core --curve=length                    cost of a step, T from 10 to 10,000
python -m zoo.bench core --curve=batch                     cost of a row, B from 1 to 512
python -m zoo.bench core --memory                          memory of a gradient over 1,000 steps
python -m zoo.bench core --half                            products in bfloat16, ours and PyTorch's

Each contestant has a process of its own, and all take turns. Before a shape is timed, outputs and
gradients of each are held against NumPy in float64. "forward" keeps nothing for a gradient; "both" is the
value and the gradient of a weighted sum of the outputs with respect to parameters and inputs. A ratio
above 1 says that the first contestant is faster; it is the median of each round's, with its quartiles. The
floor is the time that the operations take at the speed of the fastest product, or that reading the
recurrent weights at every step takes, measured in the same run, whichever is longer.

Exit code 1: a contestant died, or computes something else; the figures of the others are there.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from absl import flags

from zoo.bench import contest, layer_figures, problem, rounds
from zoo.bench.contest import Contest
from zoo.bench.contestants import LAYERS
from zoo.bench.layer_figures import MODES
from zoo.bench.problem import Shape
from zoo.errors import UserError

caption, table = layer_figures.caption, layer_figures.table
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
CURVES = {
    "length": [(256, 16, T, 256) for T in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)],
    "batch": [(256, 2**i, 100, 256) for i in range(10)],
}
LONG = (256, 64, 1000, 256)
TOLERANCE = 1e-4  # of the largest value of an array
TOLERANCE_HALF = 0.05  # the same with products in bfloat16
_LARGE = 4e10  # operations; longer sequences are checked at fewer steps

_HALF = ["half", "ours", "torch-half", "torch"]
_ALL = [name for name in LAYERS if name not in ("segments", "half", "torch-half")]
_FEW = ["ours", "plain", "torch"]


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    flags.DEFINE_bool("quick", False, "three small shapes, three rounds", **define)
    flags.DEFINE_integer("rounds", None, "turns of each; 9, or 3 with --quick", **define)
    flags.DEFINE_string(
        "shapes", None, "H,B,T,D;H,B,T,D;... in place of those of the table", **define
    )
    flags.DEFINE_list(
        "contestants", None, f"some of {', '.join(LAYERS)}; the first is the measure", **define
    )
    flags.DEFINE_string(
        "beside", None, "another checkout of this project, as a contestant", **define
    )
    flags.DEFINE_enum("curve", None, list(CURVES), "cost by T, or by B", **define)
    flags.DEFINE_bool("memory", False, "memory and time of a long gradient", **define)
    flags.DEFINE_bool("half", False, "products in bfloat16 beside those in float32", **define)
    flags.DEFINE_string("plot", None, "PNG file to write", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    turns = (3 if values.quick else 9) if values.rounds is None else values.rounds
    if turns < 1:
        raise UserError(f"--rounds={turns}: must be at least 1")
    if values.quick + (values.shapes is not None) + (values.curve is not None) + values.memory > 1:
        raise UserError("give one of --quick, --shapes, --curve and --memory")
    if values.half and (values.curve is not None or values.memory):
        raise UserError("--half: not with --curve or --memory")
    if values.curve is not None:
        shapes, names = CURVES[values.curve], _FEW
    elif values.memory:
        shapes, names = [LONG], ["ours", "plain", "segments", "torch"]
    else:
        shapes, names = QUICK if values.quick else SHAPES, _HALF if values.half else _ALL
    if values.shapes is not None:
        shapes = parse_shapes(values.shapes)
    chosen = contest.choose(values.contestants or names, LAYERS)
    if values.beside is not None:
        chosen["beside"] = _checkout(values.beside)
    lacking = contest.absent(chosen)
    there = {name: c for name, c in chosen.items() if name not in lacking}
    with Contest(there) as held:
        records = [_shape(held, Shape(*s), turns, values.memory) for s in shapes]
    # Of parts of the table an entry of its own, so that they do not take its place.
    part = f" --curve={values.curve}" if values.curve else " --memory" if values.memory else ""
    part = " --half" if values.half else part
    result = {
        "bench": "core",
        "part": part,
        "curve": values.curve,
        "rounds": turns,
        **contest.about(chosen, lacking, held.failed),
        "shapes": records,
    }
    if values.plot:
        layer_figures.plot(result, Path(values.plot))
    return result, int(bool(held.failed))


def parse_shapes(text: str) -> list[Shape]:
    """Shapes from "H,B,T,D;H,B,T,D". Raises UserError for anything but four whole numbers above 0."""
    shapes = []
    for part in text.split(";"):
        numbers = part.split(",")
        if len(numbers) != 4 or not all(n.strip().isdecimal() and int(n) for n in numbers):
            raise UserError(
                f"--shapes: {part!r} is no shape: give four whole numbers above 0, H,B,T,D "
                "(units, batch, time steps, inputs)"
            )
        shapes.append(Shape(*map(int, numbers)))
    return shapes


def floor(shape: Shape, mode: str, speeds: dict[str, float]) -> float:
    """Seconds that a mode takes at least, at these speeds."""
    operations = shape.operations() * (3 if mode == "both" else 1)
    read = shape.weight_bytes() * shape.steps * (2 if mode == "both" else 1)
    return max(operations / speeds["operations_per_second"], read / speeds["bytes_per_second"])


def _checkout(folder):
    if not (Path(folder) / "zoo/unroll").is_dir():
        raise UserError(f"--beside={folder}: no checkout of this project")
    there = str(Path(folder).resolve())
    return LAYERS["ours"]._replace(title=f"ours, {folder}", checkout=there)


def _shape(held: Contest, shape: Shape, turns: int, memory: bool) -> dict:
    """Everything that is measured of one shape."""
    work = f"H {shape.hidden}, B {shape.batch}, T {shape.steps}, D {shape.inputs}"
    print(work, file=sys.stderr)
    errors = _check(held, shape, work)
    record = {"shape": list(shape), "errors": errors, "floor": {}, "modes": {}}
    if memory:
        record["memory"] = {name: held.ask(name, "peak", run="both") for name in list(held.alive)}
    before = _speeds(held, shape)
    for mode in MODES:
        seconds = held.seconds(mode, turns)
        first = seconds.get(next(iter(held.contestants)))
        record["modes"][mode] = {name: rounds.summary(s, first) for name, s in seconds.items()}
    after = _speeds(held, shape)
    # Other work on the machine can only make it look slower than it is.
    record["speeds"] = {name: max(before.get(name, 0), speed) for name, speed in after.items()}
    if after and not contest.in_half(
        next(iter(held.contestants.values()))
    ):  # it is that of float32
        record["floor"] = {mode: floor(shape, mode, record["speeds"]) for mode in MODES}
    record["load"] = held.load()
    return record


def _check(held, shape, work):
    """Prepares a shape, and gives the largest error of each; who has more than the tolerance is out."""
    steps = max(1, min(shape.steps, int(_LARGE * shape.steps / shape.operations())))
    short, errors = shape._replace(steps=steps), {}
    held.begin(work, {"shape": list(short)})
    want = problem.solve(problem.make(short))
    with tempfile.TemporaryDirectory() as folder:
        for name in list(held.alive):
            off = {}
            for mode in MODES:
                file = str(Path(folder) / f"{name}-{mode}.npz")
                if held.ask(name, "save", run=mode, file=file) is None:
                    break
                with np.load(file) as arrays:
                    off |= {key: problem.error(array, want[key]) for key, array in arrays.items()}
            if name not in held.alive:
                continue
            worst = max(off, key=off.get)
            errors[name] = float(f"{off[worst]:.2g}")
            limit = TOLERANCE_HALF if contest.in_half(held.contestants[name]) else TOLERANCE
            if off[worst] > limit:
                held.out(name, f"computes something else: {worst} is off by {off[worst]:.1e}")
    if short != shape:
        held.begin(work, {"shape": list(shape)}, names=list(held.alive))
    return errors


def _speeds(held, shape):
    """What the machine can do, measured in the process of the first contestant that is ours."""
    ours = [n for n in held.alive if held.contestants[n].module.endswith(".ours")]
    order = {"module": "zoo.bench.floor", "function": "measure"}
    answer = ours and held.ask(ours[0], "call", options={"size": shape.weight_bytes()}, **order)
    return answer["value"] if answer else {}
