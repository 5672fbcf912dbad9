"""Predictions with a trained model, JSON lines on stdout: forecasts, languages of lines, classes of texts.

python -m zoo.predict --run=runs/airline --horizon=24
python -m zoo.predict --run=runs/sales --input=newer.csv --level=0.8
python -m zoo.predict --run=runs/language_detector-world --input=lines.txt --languages=en,fr
python -m zoo.predict --run=runs/mails --input=new.csv --top=3

A forecast goes on from the series that the run was trained on, or from newer data with the same
columns, given by --input (- for standard input): as many rows as the model reads, and, where the run
has features that are known in advance (data.known), their future rows with empty values. It is also
written as a CSV file: --out, or forecast.csv in the run folder.

Languages are told of every line of --input, or of standard input: label ("unknown" where the line
speaks for none), probabilities of the likeliest, and margin, by how much the first is more probable
than the second.

Classes are told of every line of --input, or of every text in a .csv or .jsonl file: label, and
probabilities of the likeliest.
"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import json
import sys

from absl import flags

from zoo import cli, tasks
from zoo.errors import UserError

# A task that predicts has a file predict.py: FLAGS, rows of (type, name, default, help); check(values);
# predict(task, params, run, values), which yields lists of rows to be printed at once.


def main(argv):
    values = flags.FlagValues()
    flags.DEFINE_string(
        "run",
        None,
        "folder of a finished run; of one of --seeds the best one answers",
        flag_values=values,
    )
    text = "newer series (CSV), or texts; - for standard input"
    flags.DEFINE_string("input", None, text, flag_values=values)
    predictors = {name: tasks.module(name, "predict") for name in tasks.names()}
    predictors = {name: module for name, module in predictors.items() if module}
    for module in predictors.values():
        for kind, *flag in module.FLAGS:
            getattr(flags, f"DEFINE_{kind}")(*flag, flag_values=values)
    if cli.parse(values, argv, __doc__) is None:
        return 0
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run, such as runs/airline")
    for module in predictors.values():
        module.check(values)

    from zoo.runs import folder, seeds
    from zoo.runs.load import load

    run = seeds.chosen(folder.path(values.run))
    _, params, task = load(run, use="predict", early=cli.note)
    name = task.config.task
    if name not in predictors:
        raise UserError(
            f"--run={run}: is a run of the task {name!r}; zoo.predict is for {' and '.join(predictors)}"
        )
    for other, module in predictors.items():
        for _, flag, *_ in module.FLAGS:
            if other != name and values[flag].present:
                raise UserError(f"--{flag}: is for runs of {other}; {run} is one of {name}")
    for rows in predictors[name].predict(task, params, run, values):
        print(*map(json.dumps, rows), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
