"""Answers for texts, beside other programs.

python -m zoo.bench predict --run=runs/language_detector-world
python -m zoo.bench predict --run=runs/text_classifier-news_source

Of a run of language_detection: lines a second and, where they are installed, of lingua and py3langid,
restricted to its languages. The lines are pieces of 50 characters of the run's own texts, as many of each
language.

Of a run of classification: texts a second, read from a file as zoo.predict reads it, and of a linear SVM on
TF-IDF that learned from the same texts, where scikit-learn is installed. The texts are pieces of 400 words
of the run's training texts.
"""

import itertools
import tempfile
from pathlib import Path
from types import SimpleNamespace

from absl import flags

from zoo.bench import turns
from zoo.errors import UserError
from zoo.runs.load import load
from zoo.tasks import svm
from zoo.tasks.classification import predict
from zoo.tasks.language_detection import evaluation, identifiers

_CHARACTERS, _WORDS = 50, 400


def define(values: flags.FlagValues) -> None:
    turns.define_rounds(values)
    define = {"flag_values": values}
    flags.DEFINE_string("run", None, "folder of a finished run", **define)
    flags.DEFINE_integer("lines", 1080, f"lines of {_CHARACTERS} characters, or texts", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    """A run's model and other programs: turns of all lines."""
    turns.at_least(values, {"rounds": 1, "lines": 1})
    kinds = {"language_detection": _languages, "classification": _classes}
    if values.run is None:
        raise UserError(f"--run is missing: the folder of a finished run of {' or '.join(kinds)}")
    _, params, task = load(Path(values.run), *kinds)
    with tempfile.TemporaryDirectory() as folder:
        contestants, count, unit, part = kinds[task.config.task](task, params, values.lines, folder)
        return turns.entry(contestants, values.rounds, count, unit) | {"part": part}, 0


def _languages(task, params, count, folder):
    each = -(-count // len(task.codes))
    pieces = (evaluation.cut([text], _CHARACTERS)[0][:each] for text in task.parts["train"])
    lines = list(itertools.chain.from_iterable(pieces))
    contestants = {"this model": lambda: task.posterior(params, lines)}
    for name, score in identifiers.installed(task.codes).items():
        contestants[name] = lambda score=score: score(lines)
    return contestants, len(lines), "lines", ""


def _classes(task, params, count, folder):
    train = task.texts["train"]
    words = itertools.cycle(word for text in train.texts for word in text.split())
    texts = [" ".join(itertools.islice(words, _WORDS)) for _ in range(count)]
    file = Path(folder) / "texts.txt"
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")

    given = SimpleNamespace(input=str(file), top=5)
    contestants = {"this model": lambda: list(predict.predict(task, params, Path(folder), given))}
    if machine := svm.learned(train.texts, train.labels):
        contestants["TF-IDF + SVM"] = lambda: machine(file.read_text(encoding="utf-8").splitlines())
    return contestants, count, "texts", " texts"
