"""A trained model in Python: what the commands do with a run folder, as methods."""

import io
import os
import tempfile
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo import bounds, tasks
from zoo.errors import UserError
from zoo.runs import folder, seeds
from zoo.runs.load import load as load_run
from zoo.runs.load import load_together


class _Pair(NamedTuple):
    model: Any
    params: Any


class Trained(_Pair):
    """The model and the parameters of a run, and what can be done with them.

    model:  a Flax module
    params: its best parameters
    task:   what knows the run's vocabulary, series or classes (``zoo.tasks.protocol``)
    run:    its folder
    """

    task: Any
    run: Path

    def generate(
        self, prompt: str | None = None, *, length: int = 500, num: int | None = None, **settings
    ) -> str | list[str]:
        """The text that a language model writes after ``prompt``, without it; a list of ``num`` where
        that is given.

        settings: temperature, top_k, top_p, seed, as of ``zoo.sample``; unseen ("error", or "replace" to
                  read symbols that the model has not seen as the unknown one); member, of several corpora;
                  mixed, True for a text of the model and a Kneser-Ney model of the training text together

        Raises UserError for a prompt with unseen symbols, for settings out of range, and where the model is
        none of language.
        """
        self._must("generate", "writes no text")
        prompt = self.task.opening(settings.get("seed", 0)) if prompt is None else prompt
        settings |= {"length": length, "num": 1 if num is None else num}
        bounds.writing(settings)
        symbols = self.task.vocabulary
        most = symbols.size - len(symbols.unknown_ids)
        settings["top_k"] = min(settings.get("top_k", 0), most)
        if settings.pop("mixed", False):
            settings["mixed"] = self._mixed(settings.get("member", ""))
        texts = self.task.generate(self.params, prompt, **settings)
        return texts[0] if num is None else texts

    def score(
        self,
        text: str,
        *,
        lines: bool = False,
        dynamic: bool = False,
        mixed: bool = False,
        member: str = "",
        precision: str = "float32",
    ) -> dict | list[dict]:
        """How probable a text is to a language model: tokens, characters, unknown, nats, nats_per_token and
        bits_per_character; with ``lines`` a list of them, for each line by itself.

        dynamic: by parameters that follow the text, too (Krause et al. 2018): dynamic_nats, ...
        mixed:   together with a Kneser-Ney model of the training text, too: mixed_nats, ...
        precision: "bfloat16" for products of that type in the layers: faster on many processors

        Raises UserError where the model gives text no probability, and for another precision.
        """
        from zoo.data.text import line_parts

        scorer = self._part("score", "gives text no probability")
        scorer.check(self.task)
        pieces = line_parts.pieces(io.BytesIO(text.encode()), "text")
        options = {"whole": not lines, "member": member, "precision": precision}
        options |= {"settings": scorer.Settings() if dynamic else None}
        options |= {"mixed": self._mixed(member) if mixed else None}
        rows, sums = [], scorer.Sums()
        for part in scorer.score(self.task, self.params, pieces, **options):
            sums.add(part, self.task.vocabulary.unknown_ids)
            if part.last:
                rows.append(sums.row())
                sums = scorer.Sums()
        return rows if lines else rows[0]

    def predict(self, texts: Iterable[str], **options) -> list[dict]:
        """The class or the language of each text: label, probabilities and, of languages, margin.

        options: of classes top, how many are listed; of languages languages, priors and margin, as of
                 ``zoo.predict``

        Raises UserError where the model tells no texts apart.
        """
        self._must("posterior", "tells no texts apart")
        return self.task.posterior(self.params, list(texts), **options)

    def forecast(self, horizon: int | None = None, newer: Any = None, **options) -> list[dict]:
        """What comes after the end of each series: series, time, forecast, lower and upper.

        horizon: steps ahead; the run's own when left out
        newer:   newer data of the same series, a CSV file or a table of pandas, whose index counts where it
                 has a name; the run's own data when left out
        options: level, the share of values that lower to upper is to hold; quantiles, such as (0.1, 0.9)

        Raises UserError where the model forecasts no series, and for data that does not fit.
        """
        rows = self._part("predict", "forecasts no series", needs="rows").rows
        own = self.task, self.params, self.run
        if not hasattr(newer, "to_csv"):
            return rows(*own, newer, horizon, **options)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "newer.csv"
            newer.to_csv(file, index=newer.index.name is not None)
            return rows(*own, str(file), horizon, **options)

    def tokens(self, text: str) -> np.ndarray:
        """The ids (N,) of a text, as the model reads them. Raises UserError where it reads no text."""
        self._must("tokens", "reads no text")
        return self.task.tokens(text)

    def _mixed(self, member):
        return self.task.mixed(self.run, folder.read_result(self.run), member)

    def _must(self, name, otherwise):
        if not hasattr(self.task, name):
            raise UserError(f"{self.run}: a run of the task {self.task.config.task!r} {otherwise}")

    def _part(self, name, otherwise, needs=""):
        part = tasks.module(self.task.config.task, name)
        if part is None or (needs and not hasattr(part, needs)):
            raise UserError(f"{self.run}: a run of the task {self.task.config.task!r} {otherwise}")
        return part


def load(run: str | os.PathLike, *, together: bool = False) -> Trained:
    """The model of a run; of one of several stages, the one that writes; of a folder of seeds that of the
    best one, whose folder is ``.run``. ``together``: all seeds of a language model as one, which gives the
    mean of their probabilities.

    Raises UserError where the folder is no run or not finished, and for seeds that cannot be one model.
    """
    if together:
        run, loaded = load_together(run)
    else:
        run, _ = seeds.best(folder.path(run))
        loaded = load_run(run, use="generate", early=partial(warnings.warn, stacklevel=3))
    trained = Trained(loaded.model, loaded.params)
    trained.task, trained.run = loaded.task, run
    return trained
