"""The LSTM zoo: recurrent cells as pure functions, and whole systems made of them.

zoo.cells, zoo.unroll    cells and the time loop, for your own JAX code
zoo.load(run)            the model and parameters of a run that train.py made
"""

import os

__version__ = "0.1.0"
__all__ = ["load"]


def load(run: str | os.PathLike):
    """(model, params) of a finished run folder: the Flax module and its best parameters.

    For a language model: ``carry, logits = model.apply(params, tokens)`` with tokens (B, T) ints; for a
    forecaster see ``zoo.models.Forecaster``.
    Raises zoo.errors.UserError where the folder is no finished run.
    """
    from zoo.runs.load import load as load_run

    loaded = load_run(run)
    return loaded.model, loaded.params
