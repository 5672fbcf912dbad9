"""Small texts in three languages that share no words, and language detection of them."""

from pathlib import Path

import numpy as np

from zoo import config as configs
from zoo import tasks

CONFIG = Path(__file__).parent.parent / "configs/language_detector.py"
WORDS = {
    "aa": ["abba", "baba", "caba"],
    "bb": ["dodo", "bodo", "codo"],
    "cc": ["жук", "кук", "шук"],
}


def texts(folder, words=WORDS, n=120):
    folder.mkdir(exist_ok=True, parents=True)
    rng = np.random.default_rng(0)
    for code, some in words.items():
        (folder / f"{code}.txt").write_text(" ".join(rng.choice(some, n)), encoding="utf-8")
    return folder


def builder(tmp_path):
    """(shared, key=value, group__key=value, ...) -> the task, with models of a few units."""
    folder = texts(tmp_path / "texts")

    def build(shared=False, **keys):
        c = configs.load(f"{CONFIG}:source")
        c.data.update({"path": str(folder), "languages": (), "test": 0.3, "valid": 0.2})
        c.model.update({"shared": shared, "embed": 4, "hidden": 6, "class_embed": 3})
        c.batch_size, c.steps, c.epochs, c.baselines = 6, 6, None, "none"
        c.eval_every, c.eval_epochs, c.log_every = 3, None, 3
        for key, value in keys.items():
            path = key.split("__")
            (c if len(path) == 1 else c[path[0]])[path[-1]] = value
        return tasks.make(c)

    return build
