"""How probable a text is to a language model: JSON lines on stdout, one for each line of the text.

python -m zoo.score --run=runs/char_lm --input=text.txt
echo "to be or not to be" | python -m zoo.score --run=runs/char_lm
python -m zoo.score --run=runs/char_lm --input=text.txt --whole --dynamic
python -m zoo.score --run=runs/char_lm --input=text.txt --picture=surprise.png

tokens, characters and unknown count the symbols that were scored, the characters, and the symbols that
training never saw (they are scored as the unknown one). nats is minus the log-probability of the whole,
nats_per_token its mean, bits_per_character the same in bits for each character. A line is scored without
its line break, as if it stood after one; an empty line has 0 tokens and no means (null).

--whole scores the text as one, line breaks included, with the state carried from the beginning to the end.

--dynamic lets the parameters follow the text (dynamic evaluation, Krause et al. 2018). Its figures begin
with dynamic_; beside them stand those of a Kneser-Ney model that goes on counting, adaptive_kneser_ney_.
Both need the training text of the run.

--mixed scores, too, by a Kneser-Ney model of the training text, and by the mean of its probabilities and
the model's: kneser_ney_ and mixed_. The share is what training has found (with --config.mix=True, which is
on for a text of your own).

--per_token writes a row for each symbol, with its probability, before the row of its line.

--together scores by all seeds of a folder that --seeds has trained, as one model: by the mean of their
probabilities, which mostly knows a text better than the best of them.

--precision=bfloat16 multiplies in the layers in that type: about twice as fast on processors that have such
products. Means then differ in the fourth decimal.
"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import json
import sys
from pathlib import Path

from absl import flags

from zoo import bounds, cli
from zoo.errors import UserError

_DYNAMIC = {
    "dynamic_rate": (0, 1000),
    "dynamic_decay": (0, 1000),
    "dynamic_segment": (1, 1_000_000),
}


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string(
        "run", None, "folder of a finished run; of one of --seeds the best one reads", **define
    )
    flags.DEFINE_string("input", None, "text to score; - or left out for standard input", **define)
    flags.DEFINE_boolean(
        "whole", False, "one text, with the state carried from line to line", **define
    )
    flags.DEFINE_boolean("dynamic", False, "let the parameters follow the text, too", **define)
    flags.DEFINE_float(
        "dynamic_rate", None, "step of a parameter; the default is the zoo's", **define
    )
    flags.DEFINE_float("dynamic_decay", None, "pull back to the trained parameters", **define)
    flags.DEFINE_integer("dynamic_segment", None, "symbols a step", **define)
    flags.DEFINE_boolean(
        "mixed", False, "together with a Kneser-Ney model of the training text, too", **define
    )
    flags.DEFINE_enum(
        "precision", "float32", bounds.PRECISIONS, "of the products of the network", **define
    )
    flags.DEFINE_boolean("together", False, "all seeds of a folder as one model", **define)
    flags.DEFINE_boolean("per_token", False, "a row for each symbol, too", **define)
    flags.DEFINE_string("picture", None, "PNG file to write: the text shaded by surprise", **define)
    flags.DEFINE_string("member", None, "of a run of several corpora, the one whose model reads",
                        **define)  # fmt: skip
    if cli.parse(values, argv, __doc__) is None:
        return 0
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run, such as runs/char_lm")
    settings = _settings(values)

    from zoo import tasks
    from zoo.runs import folder
    from zoo.runs.load import opened

    run, (_, params, task) = opened(values.run, values.together, values.mixed, early=cli.note)
    scorer = tasks.module(task.config.task, "score")
    if scorer is None:
        raise UserError(
            f"--run={values.run}: a run of the task {task.config.task!r} gives text no probability"
        )
    scorer.check(task)
    options = {"whole": values.whole, "member": values.member or ""}
    options |= {"settings": scorer.Settings(**settings) if values.dynamic else None}
    given = run, folder.read_result(run), options["member"]
    options |= {"mixed": task.mixed(*given) if values.mixed else None}
    options |= {"precision": values.precision}
    return _score(values, scorer, task, params, options)


def _score(values, scorer, task, params, options):
    """Prints the rows as they are known."""
    from zoo.data.text import line_parts

    path = values.input if values.input not in (None, "-") else None
    try:
        file = open(path, "rb") if path else sys.stdin.buffer  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UserError(f"--input={path}: {error.strerror}") from None
    shown, line, total = [], scorer.Sums(), scorer.Sums()
    with file:
        pieces = line_parts.pieces(file, path or "standard input")
        for part in scorer.score(task, params, pieces, **options):
            if part.first:
                line = scorer.Sums()
            for sums in (line, total):
                sums.add(part, task.vocabulary.unknown_ids)
            if values.per_token:
                _print(scorer.symbol_rows(task.vocabulary, part))
            if values.picture is not None and len(shown) < scorer.shades.MOST:
                shown += scorer.shades.symbols(task.vocabulary, part, len(shown))
            if part.last:
                _print([{"line": part.line} | line.row()])
    if values.picture is not None:
        scorer.shades.draw(Path(values.picture), shown)
        print(f"the picture: {values.picture}", file=sys.stderr)
    if not values.whole:
        print(f"all lines: {_words(total.row())}", file=sys.stderr)
    return 0


def _words(row):
    """The means of a row, for people."""
    means = {name: value for name, value in row.items() if name.endswith(("_token", "_character"))}
    counts = f"{row['tokens']:,} tokens, {row['unknown']:,} of them unknown"
    known = [f"{name} {value:.4f}" for name, value in means.items() if value is not None]
    return "; ".join([counts, *known])


def _print(rows):
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))
    sys.stdout.flush()


def _settings(values):
    """Those of dynamic evaluation that were given."""
    given = {name: values[name].value for name in _DYNAMIC if values[name].value is not None}
    if given and not values.dynamic:
        raise UserError(f"--{next(iter(given))}: goes with --dynamic; add it")
    for name in given:
        bounds.flag(values, name, *_DYNAMIC[name])
    return {name.removeprefix("dynamic_"): value for name, value in given.items()}


if __name__ == "__main__":
    sys.exit(cli.run(main))
