"""Every cell of the zoo as a character model of Python's documentation, with about as many parameters each.

Each command is followed by its time on one CPU core beside other work, and by the loss to expect on the
last 10 % of the text, in nats per character (valid_loss); ``python -m zoo.compare cells`` makes a table.

    python train.py --config=configs/cells.py                            66 s     1.189  LSTM
    python train.py --config=configs/cells.py:lstm_keras                 51 s     1.189
    python train.py --config=configs/cells.py:peephole_lstm              77 s     1.188
    python train.py --config=configs/cells.py:layer_norm_lstm            79 s     1.130
    python train.py --config=configs/cells.py:mogrifier_lstm             105 s    1.189
    python train.py --config=configs/cells.py:multiplicative_lstm        102 s    1.542
    python train.py --config=configs/cells.py:slstm                      83 s     1.166
    python train.py --config=configs/cells.py:gru                        62 s     1.180
    python train.py --config=configs/cells.py:rnn                        62 s     1.569
    python train.py --config=configs/cells.py:minlstm                    2.1 min  1.339
    python train.py --config=configs/cells.py:mingru                     90 s     1.341

Everything but the cell is ``char_lm:docs``: the same text and batches, an embedding of 64, 4 epochs.
Each cell has as many units as give it the 362 thousand parameters of an LSTM of 256. The minimal cells have
two layers, since the gates of a single one know nothing but the symbol before them.
"""

from zoo.tasks.language_model.config import defaults

ABOUT = {
    "lstm": "LSTM",
    "lstm_keras": "LSTM, from Keras's initial values",
    "peephole_lstm": "LSTM with peepholes",
    "layer_norm_lstm": "LSTM with layer normalisation",
    "mogrifier_lstm": "Mogrifier LSTM, five rounds",
    "multiplicative_lstm": "multiplicative LSTM",
    "slstm": "sLSTM of xLSTM",
    "gru": "GRU",
    "rnn": "Elman's RNN",
    "minlstm": "minimal LSTM, two layers",
    "mingru": "minimal GRU, two layers",
}
HIDDEN = {"mogrifier_lstm": 224, "multiplicative_lstm": 228, "gru": 298, "rnn": 518}
HIDDEN |= {"minlstm": 298, "mingru": 367}
VARIANTS = tuple(ABOUT)


def get_config(variant="lstm"):
    c = defaults()
    c.name, c.variant, c.data.name = "cells", variant, "docs"
    c.about = f"{ABOUT[variant]}, as a model of Python's documentation"
    c.results = (("valid_loss", None, ""),)
    c.best.metric, c.adapt = "valid_loss", True
    c.batch_size, c.data.window, c.epochs, c.eval_epochs = 32, 32, 4.0, 0.5
    c.model.update({"cell": variant, "hidden": HIDDEN.get(variant, 256), "dropout_out": 0.1})
    c.model.layers = 2 if variant.startswith("min") else 1
    c.optimizer.update({"b2": 0.99, "schedule": "cosine", "final_fraction": 0.01})
    c.optimizer.update({"learning_rate": 1e-2, "warmup_steps": 50})
    return c
