"""One command for all: zoo train, zoo sample, ..., which are python train.py, python -m zoo.sample, ..."""

import importlib
import sys

from zoo import interrupt

COMMANDS = {
    "train": ("trainer", "trains what a config describes, such as configs/char_lm.py"),
    "sample": ("sample", "writes text with a trained language model"),
    "score": ("score", "says how probable a text is to one"),
    "predict": ("predict", "forecasts series, names languages of lines and classes of texts"),
    "convert": ("convert", "writes a model's parameters for another library, and reads them back"),
    "report": ("report", "makes a page of runs, or the table of results"),
    "compare": ("compare", "makes a table of the variants of a config"),
    "reproduce": ("reproduce", "runs configs over seeds; from a checkout"),
    "bench": ("bench.command", "measures speed; from a checkout"),
}


def main() -> int:
    """Runs the command that the first argument names, with the others."""
    interrupt.prepare()  # first of all: what is imported below takes seconds
    name, *rest = sys.argv[1:] or ["--help"]
    from zoo import cli
    from zoo.errors import nearest

    if name in ("-h", "-help", "--help", "help"):
        print("usage: zoo COMMAND --flag=value ...; zoo COMMAND --help\n")
        print(*(f"  {name:<10} {about}" for name, (_, about) in COMMANDS.items()), sep="\n")
        return 0
    if name not in COMMANDS:
        hint = f"did you mean {near!r}? " if (near := nearest(name, COMMANDS)) else ""
        return cli.fail(f"no command {name!r}: {hint}There are {', '.join(COMMANDS)}")
    module, _ = COMMANDS[name]
    return cli.run(importlib.import_module(f"zoo.{module}").main, [f"zoo {name}", *rest])


if __name__ == "__main__":
    sys.exit(main())
