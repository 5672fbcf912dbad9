"""Writes text with a trained language model.

python -m zoo.sample --run=runs/char_lm --prompt="The " --length=500 --temperature=0.8

One sample is printed as it is written; several, which are written side by side, at the end. The same seed
gives the same text.
"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import sys
from pathlib import Path

from absl import flags

from zoo import bounds, cli
from zoo.errors import UserError


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string(
        "run",
        None,
        "folder of a finished run; of one of --seeds the best one writes",
        **define,
    )
    flags.DEFINE_string(
        "prompt",
        None,
        "text to go on from; when left out a line break, or of a model of windows one of the text",
        **define,
    )
    flags.DEFINE_string("prompt_file", None, "file with the text to go on from", **define)
    flags.DEFINE_integer("length", 500, "symbols to write", **define)
    flags.DEFINE_float(
        "temperature", 1.0, "below 1 bolder, above 1 wilder, 0 the most probable", **define
    )
    flags.DEFINE_integer(
        "top_k", 0, "draw from the k most probable symbols only; 0 from all", **define
    )
    flags.DEFINE_float("top_p", 1.0, "draw from the most probable symbols that sum to p", **define)
    flags.DEFINE_integer("num", 1, "samples to write", **define)
    flags.DEFINE_integer("seed", 0, "seed of the drawing", **define)
    flags.DEFINE_enum("unseen", "error", ("error", "replace"),
                      "symbols of the prompt that the model has not seen: an error, or read as the "
                      "unknown symbol", **define)  # fmt: skip
    flags.DEFINE_string("member", None, "of a run of several corpora, the one whose model writes",
                        **define)  # fmt: skip
    flags.DEFINE_boolean("mixed", False, "draw from the mean of the model and a Kneser-Ney model of the "
                         "training text, with the share that training has found", **define)  # fmt: skip
    flags.DEFINE_boolean("together", False, "all seeds of a folder as one model: draw from the mean of "
                         "their probabilities", **define)  # fmt: skip
    flags.DEFINE_boolean("check_copies", False, "say, on stderr, what the longest run of symbols is that "
                         "a sample has in common with the training text", **define)  # fmt: skip
    flags.DEFINE_string("midi", None, "MIDI file to write: the tunes of a sample in ABC notation",
                        **define)  # fmt: skip
    if cli.parse(values, argv, __doc__) is None:
        return 0
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run, such as runs/char_lm")
    prompt = _prompt(values)
    names = ("unseen", "length", "num", "seed", "temperature", "top_k", "top_p")
    settings = {name: values[name].value for name in names}
    bounds.writing(settings)

    from zoo.runs import folder
    from zoo.runs.load import opened

    run, (_, params, task) = opened(values.run, values.together, values.mixed, early=cli.note)
    if not hasattr(task, "generate"):
        raise UserError(
            f"--run={values.run}: a run of the task {task.config.task!r} writes no text"
        )
    if values.member is not None:
        settings["member"] = values.member
    if values.top_k > (most := task.vocabulary.size - len(task.vocabulary.unknown_ids)):
        print(
            f"note: --top_k={values.top_k}: this model has {most} symbols to draw from; all are kept",
            file=sys.stderr,
        )
        settings["top_k"] = most
    prompt = prompt or task.opening(values.seed)
    if values.mixed:
        settings["mixed"] = task.mixed(run, folder.read_result(run), values.member or "")
    if values.num > 1:
        texts = task.generate(params, prompt, **settings)
        for i, text in enumerate(texts):
            print(f"════ sample {i + 1} of {values.num} ════")
            print(prompt + text)
    else:
        texts = [_streamed(task, params, prompt, settings)]
    if values.midi is not None:
        _play(Path(values.midi), [prompt + text for text in texts])
    if values.check_copies:
        for i, text in enumerate(texts):
            which = f"sample {i + 1}: " if values.num > 1 else ""
            print(f"{which}{task.copied(text, values.member or '')}", file=sys.stderr)
    return 0


def _streamed(task, params, prompt, settings):
    """The text that was written; printed as it came."""
    del settings["num"]
    pieces = []
    for piece in task.stream(params, prompt, **settings):
        # The prompt is read before the first piece is there, and found right.
        print(piece if pieces else prompt + piece, end="", flush=True)
        pieces.append(piece)
    print()
    return "".join(pieces)


def _play(file, texts):
    """Writes the tunes of all texts, one after the other."""
    from zoo.data import music
    from zoo.data.files import write_bytes

    found = [tune for text in texts for tune in music.tunes(text)]
    if not found:
        raise UserError("--midi: no tune in what was written, which begins with a key, such as K:G")
    write_bytes(file, music.midi(found))
    print(f"{len(found)} tune(s): {file}", file=sys.stderr)


def _prompt(values):
    if values.prompt is not None and values.prompt_file is not None:
        raise UserError("--prompt and --prompt_file: give one of them")
    prompt = values.prompt
    if values.prompt_file is not None:
        from zoo.data.text.corpus import read_text

        prompt = read_text(Path(values.prompt_file))
    if prompt == "":
        raise UserError("--prompt is empty: give at least one character, or leave it out")
    return prompt


if __name__ == "__main__":
    sys.exit(cli.run(main))
