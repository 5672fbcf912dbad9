"""Thin Flax (Linen) modules over the cells: the only import of Flax.

Linen, because its ``init`` and ``apply`` are pure functions of parameters and keys, as the rest here
is. For NNX, wrap a module in ``flax.nnx.bridge.ToNNX``.
"""

from zoo.models.classifier import Classifier
from zoo.models.ensemble import Ensemble
from zoo.models.forecaster import Forecaster
from zoo.models.language_model import LanguageModel
from zoo.models.softmax import cross_entropy
from zoo.models.window_model import WindowModel

__all__ = ["Classifier", "Ensemble", "Forecaster", "LanguageModel", "WindowModel", "cross_entropy"]
