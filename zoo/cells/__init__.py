"""Recurrent cells as pure functions, one file a family; ``zoo.cells.cell`` says what a cell is.

A new cell is one function and one row of CELLS.
"""

from functools import partial

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
