"""Character language models.

python train.py --config=configs/char_lm.py                      documentation that Python ships
python train.py --config=configs/char_lm.py:alice                Alice in Wonderland, lower-cased
python train.py --config=configs/char_lm.py:shakespeare          tiny Shakespeare
python train.py --config=configs/char_lm.py --config.data.path=FILE      your own text
"""

from zoo import config as configs

VARIANTS = ("docs", "alice", "christmas_carol", "shakespeare", "shakespeare_source")


def get_config(variant="docs"):
    c = configs.base()
    c.name, c.variant, c.task = "char_lm", variant, "language_model"
    c.data = {
        "name": variant,
        "path": "",
        "sha256": "",
        "symbols": "characters",
        "lowercase": False,
        "min_count": 1,
        "batches": "lanes",
        "window": 64,
        "valid": 0.1,
        "test": 0.0,
    }
    c.model = {
        "cell": "lstm",
        "embed": 64,
        "hidden": 256,
        "layers": 1,
        "dropout": 0.0,
        "dropout_in": 0.0,
        "dropout_out": 0.0,
        "weight_drop": 0.0,
        "tie": False,
    }
    c.best.metric = "valid_loss"
    c.optimizer.update(
        {"b2": 0.99, "learning_rate": 4e-3, "schedule": "cosine", "warmup_steps": 50}
    )
    c.epochs, c.eval_epochs = 4.0, 0.5
    return c
