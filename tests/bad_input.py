"""What the tests of bad input share: tiny data and runs, and the check of one wrong command."""

import numpy as np

from zoo import cli

TINY = {
    "char_lm": "model.hidden=8 model.embed=4 batch_size=4 data.window=8 steps=2 eval_every=2 adapt=False",
    "forecast": "model.hidden=4 steps=2 eval_every=2 adapt=False ensemble.members=2 model.length=6 "
    "baselines=naive",
    "language_detector": "model.hidden=6 model.embed=4 steps=2 eval_every=2 data.test=0.3 baselines=none "
    "data.languages=() batch_size=6",
    "text_classifier": "model.hidden=6 model.embed=4 steps=2 eval_every=2 baselines=False "
    "ensemble.members=1 pretrain.epochs=0 batch_size=4",
    "corpora": "",
    "airline": "model.hidden=4 steps=2 eval_every=2 ensemble.members=6",
}


def data(folder):
    """config -> a small file or folder that it trains on."""
    rng = np.random.default_rng(0)
    words = rng.choice(["the ", "cat ", "sat ", "on ", "a ", "mat.\n"], 900)
    (folder / "text.txt").write_text("".join(words))
    rows = [f"{2000 + i // 12}-{i % 12 + 1:02},{i + 10},{i % 7 + 1},north" for i in range(72)]
    (folder / "sales.csv").write_text("\n".join(["month,sales,price,shop", *rows]) + "\n")
    (folder / "texts").mkdir()
    for code, some in {"en": ["abba", "baba", "caba"], "fr": ["dodo", "bodo", "codo"]}.items():
        (folder / "texts" / f"{code}.txt").write_text(" ".join(rng.choice(some, 200)))
    mails = [
        f"{'pay' if i % 2 else 'meet'} me {i % 5},{'bill' if i % 2 else 'date'}" for i in range(60)
    ]
    (folder / "mails.csv").write_text("\n".join(["text,label", *mails]) + "\n")
    names = {"char_lm": "text.txt", "forecast": "sales.csv", "language_detector": "texts"}
    paths = {
        name: folder / file for name, file in (names | {"text_classifier": "mails.csv"}).items()
    }
    return paths | {"corpora": folder / "texts"}


def keys(config, words=""):
    """The flags of ``config``'s tiny training; ``words`` such as "steps=3" come last, and count."""
    given = [word.split("=", 1) for word in TINY[config].split()]
    later = dict(word.split("=", 1) for word in words.split())
    both = {"steps": "epochs", "eval_every": "eval_epochs"}
    kept = {k: v for k, v in given if k not in later and both.get(k) not in later}
    return [f"--config.{key}={value}" for key, value in (kept | later).items()]


def ids(case):
    """The name of a case of a table."""
    return " ".join(map(str, case)).replace("/", "|")[:90]


def files(folder):
    """All that is in a folder, with when it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def told(capsys, main, argv, folder):
    """The one line of a wrong command, which writes nothing into ``folder``."""
    before = files(folder)
    capsys.readouterr()
    code = cli.run(main, argv)
    out, err = capsys.readouterr()
    assert code == 2, (code, out[-500:], err[-500:])
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1, (out, err)
    assert files(folder) == before
    print(err, end="")
    return err
