"""The LSTM zoo: recurrent cells as pure functions, and whole systems made of them.

zoo.cells, zoo.unroll    cells and the time loop, for your own JAX code
zoo.load(run)            a model that train.py trained: it writes, scores, forecasts, predicts
"""

import os

__version__ = "0.1.0"
__all__ = ["load"]


def load(run: str | os.PathLike, *, together: bool = False):
    """A trained model, from its run folder: see ``zoo.trained.Trained`` for what it does.

    It is a pair, too: ``model, params = zoo.load(run)`` are the Flax module and its best parameters. For a
    language model: ``carry, logits = model.apply(params, tokens)`` with tokens (B, T) ints; for a
    forecaster see ``zoo.models.Forecaster``. Of a run that is not finished they are those of its newest
    checkpoint, with a warning. ``together``: of a folder of seeds, all language models as one instead of
    the best.

    Raises zoo.errors.UserError where the folder is no run, or holds no checkpoint yet, and for seeds that
    cannot be one model.
    """
    from zoo import trained

    return trained.load(run, together=together)
