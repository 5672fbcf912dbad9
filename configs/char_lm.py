"""Character language models.

Each command is followed by the time that it takes on 2 CPU cores and by the loss to expect on the last
10 % of the text, in nats per character (valid_loss).

    python train.py --config=configs/char_lm.py                    47 s     1.189  Python's documentation
    python train.py --config=configs/char_lm.py:alice              14 min   1.293  Alice in Wonderland
    python train.py --config=configs/char_lm.py:alice_best         19 min   1.258  five such models as one
    python train.py --config=configs/char_lm.py:christmas_carol    2.7 min  1.357  A Christmas Carol
    python train.py --config=configs/char_lm.py:nottingham         2.8 min  0.955  folk tunes, ABC notation
    python train.py --config=configs/char_lm.py:shakespeare        32 min   1.445  tiny Shakespeare
    python train.py --config=configs/char_lm.py:shakespeare_best   34 min   1.373  four others as one
    python train.py --config=configs/char_lm.py:shakespeare_gpu    three larger ones; not measured
    python train.py --config=configs/char_lm.py:shakespeare_source    as source 001 trains it; not measured
    python train.py --config=configs/char_lm.py --config.data.path=FILE --run=runs/mine      your own text

Alice was timed beside other work, Shakespeare with a core for each of two seeds: alone it takes 20 minutes.
shakespeare_best was run with --config.mesh.data=2, which gives each core two of its four models.
Together with a 10-gram model of the training text shakespeare has a loss of 1.382, and shakespeare_best
1.348 (valid_mixed_loss). shakespeare_best and _gpu multiply in bfloat16, which not every processor does
fast. Alice and the Carol are read in lower case. How settings were chosen: docs/choices.md.
"""

from zoo.tasks.language_model.config import defaults

VARIANTS = (
    "docs",
    "alice",
    "alice_best",
    "christmas_carol",
    "nottingham",
    "shakespeare",
    "shakespeare_best",
    "shakespeare_gpu",
    "shakespeare_source",
)


def get_config(variant="docs"):
    c = defaults()
    c.name, c.variant, c.data.name = "char_lm", variant, variant
    c.results = (("valid_loss", None, ""),)
    c.best.metric, c.kneser_ney = "valid_loss", -1
    c.optimizer.update({"b2": 0.99, "schedule": "cosine", "final_fraction": 0.01})

    if variant == "docs":
        c.about = "the documentation that Python ships (3.11)"
        c.batch_size, c.data.window, c.epochs, c.eval_epochs = 32, 32, 4.0, 0.5
        c.adapt = True
        c.model.dropout_out = 0.1
        c.optimizer.update({"learning_rate": 1e-2, "warmup_steps": 50})
    elif variant in ("alice", "alice_best", "christmas_carol"):
        c.data.lowercase = True
        c.batch_size, c.data.window, c.epochs, c.eval_epochs = 32, 32, 26.0, 1.0
        c.model.update({"hidden": 384, "dropout_in": 0.1, "dropout_out": 0.4, "weight_drop": 0.2})
        c.optimizer.update({"learning_rate": 5e-3, "warmup_steps": 50})
        if variant != "christmas_carol":
            c.epochs, c.eval_epochs, c.optimizer.average = 36.0, 2.0, "ema"
            c.model.update({"hidden": 512, "dropout_in": 0.2, "dropout_out": 0.5})
            c.model.weight_drop = 0.4
            c.about = "Alice in Wonderland, lower-cased"
            # Source 002's training loss after 30 epochs of 337 s on a GPU.
            c.target.update({"metric": "valid_loss", "value": 1.7170})
            c.results = (
                ("valid_loss", 1.365, "Kneser-Ney 10-gram"),
                ("seconds_to_target", 10110.0, "source 002, on a GPU"),
            )
            if variant == "alice_best":
                c.data.name, c.model.ensemble, c.dynamic = "alice", 5, True
                c.about = "Alice in Wonderland, lower-cased: five models as one"
                c.results = (
                    ("valid_loss", "valid_kneser_ney_loss", "Kneser-Ney, the best order"),
                    ("valid_dynamic_loss", "valid_adaptive_kneser_ney_loss", "adaptive Kneser-Ney"),
                )
        else:
            c.about = "A Christmas Carol, lower-cased"
    elif variant == "nottingham":
        c.about = "1,145 folk tunes in ABC notation"
        c.kneser_ney = 8
        c.results = (("valid_loss", "valid_kneser_ney_loss", "Kneser-Ney 8-gram"),)
        c.batch_size, c.data.window, c.epochs, c.eval_epochs = 32, 64, 16.0, 1.0
        c.model.update({"hidden": 384, "dropout_in": 0.1, "dropout_out": 0.4, "weight_drop": 0.2})
        c.optimizer.update({"learning_rate": 5e-3, "warmup_steps": 50})
    elif variant.startswith("shakespeare") and variant != "shakespeare_source":
        c.about, c.data.name = "tiny Shakespeare", "shakespeare"
        nano = 1.4697, "nanoGPT, 10.65 million parameters, 3 minutes of an A100"
        c.results = (("valid_loss", *nano),)
        if variant != "shakespeare_gpu":
            c.results, c.kneser_ney, c.mix = (*c.results, ("valid_mixed_loss", *nano)), 10, True
        c.epochs, c.eval_epochs = 22.0, 1.0
        c.model.update({"layers": 2, "dropout": 0.2, "dropout_out": 0.2, "weight_drop": 0.1})
        c.optimizer.update({"learning_rate": 4e-3, "warmup_steps": 100})
        if variant != "shakespeare":
            adaptive = "valid_adaptive_kneser_ney_loss", "adaptive Kneser-Ney"
            c.results = (*c.results, ("valid_dynamic_loss", *adaptive))
            c.model.precision, c.eval_epochs, c.dynamic = "bfloat16", 2.0, True
        if variant == "shakespeare_best":
            c.about = "tiny Shakespeare: four models with layer normalisation as one"
            c.model.ensemble, c.model.cell, c.epochs = 4, "layer_norm_lstm", 13.0
        elif variant == "shakespeare_gpu":
            c.about, c.model.ensemble = "tiny Shakespeare: three models as one", 3
            c.epochs, c.optimizer.average = 40.0, "ema"
            c.model.update({"hidden": 512, "dropout": 0.3, "dropout_in": 0.1, "dropout_out": 0.4})
            c.model.weight_drop = 0.3
    else:
        # Source 001: embedding, two LSTM layers, shuffled sequences of 100 characters, batches of
        # 128, the last one dropped; Adam, no dropout, no clipping. It states no sizes and no figures.
        c.about = "tiny Shakespeare, the protocol of source 001"
        c.data.update({"name": "shakespeare", "batches": "chunks", "window": 100, "min_count": 1})
        c.batch_size, c.epochs, c.eval_epochs = 128, 10.0, 1.0
        c.model.update({"embed": 256, "layers": 2})
        c.optimizer.update({"name": "adam", "learning_rate": 3e-3, "b2": 0.999, "clip_norm": 0.0})
        c.optimizer.schedule = "constant"
    return c
