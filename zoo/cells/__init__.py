"""Recurrent cells as pure functions, one file a family; ``zoo.cells.cell`` says what a cell is.

A new cell is one function and one row of CELLS.
"""

from functools import partial

from jax.export import register_namedtuple_serialization

from zoo.cells.cell import Carry, Cell, Params, step
from zoo.cells.gru import GRUCarry, GRUParams, gru
from zoo.cells.lstm import LSTMCarry, LSTMParams, lstm
from zoo.cells.rnn import RNNCarry, RNNParams, rnn

CELLS = {
    "lstm": lstm,
    "lstm_keras": partial(lstm, whole=True),  # the same cell from Keras's initial values
    "gru": gru,
    "rnn": rnn,
}

for _named in (LSTMParams, LSTMCarry, GRUParams, GRUCarry, RNNParams, RNNCarry):
    register_namedtuple_serialization(_named, serialized_name=f"zoo.cells.{_named.__name__}")

__all__ = [
    "CELLS",
    "Carry",
    "Cell",
    "GRUCarry",
    "GRUParams",
    "LSTMCarry",
    "LSTMParams",
    "Params",
    "RNNCarry",
    "RNNParams",
    "gru",
    "lstm",
    "rnn",
    "step",
]
