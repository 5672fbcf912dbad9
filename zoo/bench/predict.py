"""Languages of lines, beside other identifiers.

python -m zoo.bench predict --run=runs/language_detector-world

Lines a second of a run of language_detection and, where they are installed, of lingua and py3langid,
restricted to its languages. The lines are --lines pieces of 50 characters of the run's own texts, as many
of each language.
"""

from pathlib import Path

from absl import flags

from zoo.bench import turns
from zoo.errors import UserError
from zoo.runs.load import load
from zoo.tasks.language_detection import evaluation, identifiers


def define(values: flags.FlagValues) -> None:
    turns.define_rounds(values)
    define = {"flag_values": values}
    flags.DEFINE_string("run", None, "folder of a finished run", **define)
    flags.DEFINE_integer("lines", 1080, "lines, of 50 characters each", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    """A run's model and other identifiers: turns of all lines."""
    turns.at_least(values, {"rounds": 1, "lines": 1})
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run of language_detection")
    _, params, task = load(Path(values.run), "language_detection")
    each = -(-values.lines // len(task.codes))
    lines = [s for text in task.parts["train"] for s in evaluation.cut([text], 50)[0][:each]]
    contestants = {"this model": lambda: task.posterior(params, lines)}
    for name, score in identifiers.installed(task.codes).items():
        contestants[name] = lambda score=score: score(lines)
    return turns.entry(contestants, values.rounds, len(lines), "lines"), 0
