"""Telling languages apart by likelihood (source 004).

python train.py --config=configs/language_detector.py:source
"""

from zoo import config as configs

VARIANTS = ("source", "source_window50", "source_20_epochs", "english_french", "genesis", "world")


def get_config(variant="source"):
    c = configs.language_detection()
    c.name, c.variant = "language_detector", variant
    c.data.languages = ("en", "fr")
    c.show = ("test_auc_5", "test_auc_20", "test_auc_source")
    if variant == "world":
        return _world(c)
    c.baselines = "ngrams"
    if variant == "english_french":
        c.about = "one model told the language, eight members, discriminative"
        c.to_beat = "Kneser-Ney 5-gram 0.9536 and 0.9999"
        c.model.update({"shared": True, "embed": 32, "hidden": 64, "class_embed": 8})
        c.ensemble.members = 8
        c.discriminative, c.data.valid = 0.8, 0.05
        c.data.window = 6
        c.batch_size, c.steps, c.eval_every, c.log_every = 64, 3000, 3000, 100
        c.optimizer.update({"name": "adam", "learning_rate": 2e-2, "schedule": "cosine"})
        return c
    c.about, c.to_beat = "source 004: LSTM 128, 5 epochs", "source 0.6514; Kneser-Ney bigram 0.904"
    c.data.window = 50 if variant == "source_window50" else 5
    c.model.update({"embed": 0, "hidden": 128})
    c.batch_size, c.epochs, c.eval_epochs, c.log_every = 128, 5.0, 5.0, 17
    c.optimizer.update({"name": "rmsprop", "learning_rate": 1e-2, "clip_norm": 0.0})
    if variant == "source_20_epochs":
        c.epochs = c.eval_epochs = 20.0
    if variant == "genesis":
        c.data.name, c.data.test_on = "genesis", "udhr"
    return c


def _world(c):
    from zoo.data import UDHR

    c.data.update({"languages": tuple(sorted(UDHR)), "window": 16, "test": 0.0, "valid": 0.05})
    c.data.update({"ends": "spaces", "min_count": 4})
    c.model.update({"shared": True, "embed": 48, "hidden": 128, "class_embed": 16})
    c.discriminative, c.contenders = 0.8, 4
    c.batch_size, c.steps, c.eval_every, c.log_every = 108, 2500, 2500, 100
    c.optimizer.update({"name": "adam", "learning_rate": 1e-2, "schedule": "cosine"})
    return c
