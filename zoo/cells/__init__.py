"""Recurrent cells as pure functions, one file a family; ``zoo.cells.cell`` says what a cell is.

A new cell is one function and one row of CELLS.
"""

from functools import partial

from jax.export import register_namedtuple_serialization

from zoo.cells.cell import Carry, Cell, Params, step
from zoo.cells.gru import GRUCarry, GRUParams, gru
from zoo.cells.layer_norm import LayerNormParams, layer_norm_lstm
from zoo.cells.lstm import LSTMCarry, LSTMParams, lstm
from zoo.cells.minimal import MinCarry, MinGRUParams, MinLSTMParams, mingru, minlstm
from zoo.cells.mogrifier import MogrifierParams, mogrifier_lstm
from zoo.cells.multiplicative import MultiplicativeParams, multiplicative_lstm
from zoo.cells.peephole import PeepholeParams, peephole_lstm
from zoo.cells.rnn import RNNCarry, RNNParams, rnn
from zoo.cells.slstm import SLSTMCarry, SLSTMParams, slstm

CELLS = {
    "lstm": lstm,
    "lstm_keras": partial(lstm, whole=True),  # the same cell from Keras's initial values
    "peephole_lstm": peephole_lstm,
    "layer_norm_lstm": layer_norm_lstm,
    "mogrifier_lstm": mogrifier_lstm,
    "multiplicative_lstm": multiplicative_lstm,
    "slstm": slstm,
    "gru": gru,
    "rnn": rnn,
    "minlstm": minlstm,
    "mingru": mingru,
}

PARAMS = (
    *(LSTMParams, PeepholeParams, LayerNormParams, MogrifierParams, MultiplicativeParams),
    *(SLSTMParams, GRUParams, RNNParams, MinLSTMParams, MinGRUParams),
)
for _named in (*PARAMS, LSTMCarry, SLSTMCarry, GRUCarry, RNNCarry, MinCarry):
    register_namedtuple_serialization(_named, serialized_name=f"zoo.cells.{_named.__name__}")

__all__ = [
    "CELLS",
    "PARAMS",
    "Carry",
    "Cell",
    "GRUCarry",
    "GRUParams",
    "LSTMCarry",
    "LSTMParams",
    "LayerNormParams",
    "MinCarry",
    "MinGRUParams",
    "MinLSTMParams",
    "MogrifierParams",
    "MultiplicativeParams",
    "Params",
    "PeepholeParams",
    "RNNCarry",
    "RNNParams",
    "SLSTMCarry",
    "SLSTMParams",
    "gru",
    "layer_norm_lstm",
    "lstm",
    "mingru",
    "minlstm",
    "mogrifier_lstm",
    "multiplicative_lstm",
    "peephole_lstm",
    "rnn",
    "slstm",
    "step",
]
