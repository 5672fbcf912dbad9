"""Every window of 100 characters, and the character that follows it: the models of source 002.

    python train.py --config=configs/window_lm.py             57 min  1.749  Alice in Wonderland: train_loss
    python train.py --config=configs/window_lm.py:christmas_carol     51 min  2.100  A Christmas Carol
    python train.py --config=configs/window_lm.py --config.data.path=FILE --run=runs/mine      your own text

The protocol is the source's. The text is lower-cased; every window is read, one character apart, as numbers
divided by how many characters there are. LSTM 256, dropout 0.2 on its last output, softmax; Adam at 1e-3
from Keras's initial values; batches of 128, shuffled every epoch, the last one with what is left; 30
epochs, of the Carol 20. The parameters with the best training loss are kept: the mean of an epoch, with
dropout. They write 1000 characters by arg max from a random window (summary.txt; ``zoo.sample
--temperature=0 --length=1000`` does the same). All of the text trains; there is no valid_loss.

Both were measured on one core with --config.model.precision=bfloat16, Alice with two seeds. A public run of
her by this recipe in Keras has 1.782, the source's 1.717 (docs/choices.md); of the Carol it gives no loss.

What differs: Alice is read without her title, 144,321 characters of 43 kinds; the source's text has 144,366
of 43. The Carol is another edition: 158,446 of 43, the source's 158,602 of 44. Adam's epsilon is 1e-8,
Keras's 1e-7.

What the source suggests, one change each, on Alice with her title; the last tenth is held out, so that they
have a valid_loss. ``python -m zoo.compare window_lm`` makes a table of them. Seven are measured, on a core
each with --config.model.precision=bfloat16: with an embedding the loss is 1.717 after 6 minutes.

    python train.py --config=configs/window_lm.py:alice_held_out      76 min  1.772  no change
    python train.py --config=configs/window_lm.py:alice_layers        two layers, dropout between them too
    python train.py --config=configs/window_lm.py:alice_batch       78 min  1.686  batches of 64
    python train.py --config=configs/window_lm.py:alice_epochs      121 min  1.564  50 epochs
    python train.py --config=configs/window_lm.py:alice_dropout     57 min  1.983  dropout 0.5
    python train.py --config=configs/window_lm.py:alice_no_dropout  61 min  1.667  none
    python train.py --config=configs/window_lm.py:alice_embedding     67 min  0.752  an embedding, not one
    python train.py --config=configs/window_lm.py:alice_many        83 min  1.357  foretells at every step
"""

from zoo.tasks.language_model.config import defaults

ABLATIONS = {
    "held_out": ("source 002, the last tenth held out", {}),
    "layers": ("two layers", {"model.layers": 2, "model.dropout": 0.2}),
    "batch": ("batches of 64", {"batch_size": 64}),
    "epochs": ("50 epochs", {"epochs": 50.0}),
    "dropout": ("dropout 0.5", {"model.dropout_out": 0.5}),
    "no_dropout": ("no dropout", {"model.dropout_out": 0.0}),
    "embedding": ("an embedding of 64 numbers", {"model.embed": 64}),
    "many": ("many-to-many: foretells after every character", {"data.targets": "all"}),
}
VARIANTS = ("alice", "christmas_carol", *(f"alice_{name}" for name in ABLATIONS))


def get_config(variant="alice"):
    c = defaults()
    c.name, c.variant = "window_lm", variant
    c.data.update({"name": "alice", "lowercase": True, "min_count": 1, "valid": 0.0})
    c.data.update({"batches": "windows", "window": 100})
    c.model.update({"cell": "lstm_keras", "embed": 0, "hidden": 256, "dropout_out": 0.2})
    c.optimizer.update({"name": "adam", "learning_rate": 1e-3, "clip_norm": 0.0})
    c.batch_size, c.epochs, c.eval_epochs = 128, 30.0, 1.0
    c.log_every = (
        1_000_000  # at evaluations only: then train_loss is the mean of an epoch, as Keras has it
    )
    c.best.metric = "train_loss"
    c.target.update({"metric": "train_loss", "value": 1.7170})
    c.about = "source 002: Alice in Wonderland, windows of 100"
    c.results = (
        ("train_loss", 1.7170, "source 002"),
        ("seconds_to_target", 10110.0, "source 002, on a GPU"),
    )
    if variant == "alice":
        c.data.name = "alice_chapters"
    elif variant == "christmas_carol":
        c.about, c.results = "source 002: A Christmas Carol", (("train_loss", None, ""),)
        c.data.name, c.epochs = variant, 20.0
    else:
        about, changes = ABLATIONS[variant.removeprefix("alice_")]
        c.about, c.data.valid = f"ablation of window_lm: {about}", 0.1
        c.results = (*c.results, ("valid_loss", None, ""))
        c.update_from_flattened_dict(changes)
    return c
