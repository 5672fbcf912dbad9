"""The keys of a text classification config, and what they may be."""

from ml_collections import ConfigDict

from zoo.bounds import DEEPEST, MEMBERS, PRECISIONS, SEED, WEIGHT, WIDEST
from zoo.config import base, choose, require
from zoo.errors import UserError
from zoo.tasks import Metric

METRICS = {
    "test_accuracy": Metric("test texts, right class", "share", "higher"),
    "test_macro_f1": Metric(
        "F1 of test texts, mean over the classes", "1 = always right", "higher"
    ),
    "test_ece": Metric(
        "calibration error of test probabilities, 15 bins", "0 = as sure as right", "lower"
    ),
}


def defaults() -> ConfigDict:
    """The keys of the task, with their defaults, upon those that every config has."""
    c = base()
    c.task = "classification"
    c.data = {
        "name": "docs",  # of a set of texts
        # texts of yours instead: a CSV file, JSON lines, or a folder with a file or sub-folder a class
        "path": "",
        "test_path": "",  # the same, with texts to test on
        "text": "text",  # column or key
        "label": "label",
        "skip_unreadable": False,  # files of a folder that are no text
        "symbols": "words",  # words, characters, bytes, pieces, alphabet
        "lowercase": True,  # letters are made small
        "min_count": 2,  # rarer words are the unknown one
        "most": 30_000,  # words or pieces of the vocabulary
        "drop_duplicates": False,  # texts that stand there before, with whatever label
        "stop_words": False,  # English ones are left out
        "limit": 400,  # symbols of a text that are read, from its beginning
        "crop": 0,  # symbols of a piece; a step reads one of each text, an answer takes all; 0: no pieces
        "buckets": 6,  # lengths that texts are padded to
        "split": "stratified",  # stratified, or position: the last rows test
        "valid": 0.1,  # of the training rows, drawn from each class
        "test": 0.2,  # where there is no test_path
        "test_seed": 0,  # that a stratified test part is drawn by; the same for every seed of training
    }
    c.model = {
        "cell": "lstm",  # a name of zoo.cells.CELLS
        "embed": 128,  # size of the embedding
        "hidden": 128,  # width of a layer
        "layers": 1,  # one upon the other
        "bidirectional": True,  # texts are read from their end, too
        "pool": "max",  # last, mean, max, attention
        "dropout": 0.0,  # between layers
        "dropout_in": 0.3,  # of the embedding
        "embed_drop": 0.0,  # of whole symbols
        "dropout_out": 0.3,  # of what is pooled
        "weight_drop": 0.0,  # of the recurrent weights
        "activation": 0.0,  # weight of a penalty on large outputs
        "temporal": 0.0,  # weight of a penalty on outputs that change
        "precision": "float32",  # of the products of a training step: float32 or bfloat16
        "class_embed": 32,  # of the generative model: numbers that each class is known by
    }
    # discriminative: P(class | text), by a Classifier. generative: P(text | class) P(class), by a
    # LanguageModel that knows the class (Yogatama et al. 2017). mixture: both, with shares that fit.
    c.objective = "discriminative"
    c.pretrain = {
        "epochs": 0,  # first ones, of all, in which both directions learn to foretell words
        "negatives": 1000,  # words that stand for the vocabulary there; 0 for all
        "discriminate": 1.0,  # a layer's learning rate over that of the next one, afterwards
    }
    c.adversarial = {
        "size": 0.0,  # of the change of an embedded text, over its own; 0 for none
        "weight": 1.0,  # of the loss where the label is known (Miyato et al. 2017)
        "virtual": 0.0,  # of the divergence, which needs no label
    }
    c.smoothing = 0.0  # of the labels: this share goes to all classes alike
    c.balance = False  # each class weighs the same, however many texts it has
    c.word_drop = 0.0  # share of the symbols that are read as unknown in training
    c.ensemble = {"members": 1}  # models whose answers are joined
    c.baselines = True  # SVMs beside it on the test part, where scikit-learn is installed
    c.curve = 0  # members of a bank that learn from all texts, half of them, a quarter, …
    c.best.update({"metric": "valid_accuracy", "mode": "max"})
    return c


def check(config: ConfigDict) -> None:
    """Raises UserError for a key out of range."""
    from zoo.cells import CELLS  # not for --help
    from zoo.data.text.labelled_sets import SETS
    from zoo.data.text.tokenizers import KINDS
    from zoo.models.classifier import POOLS

    if not config.data.path:
        choose(config, "data.name", SETS)
    choose(config, "data.symbols", KINDS)
    if config.data.stop_words and config.data.symbols != "words":
        raise UserError(
            f"--config.data.stop_words: not of {config.data.symbols}; add --config.data.symbols=words"
        )
    choose(config, "data.split", ("stratified", "position"))
    choose(config, "objective", ("discriminative", "generative", "mixture"))
    choose(config, "model.cell", CELLS)
    choose(config, "model.precision", PRECISIONS)
    choose(config, "model.pool", POOLS)
    for key in ("best.metric", "target.metric"):
        choose(config, key, ("valid_loss", "valid_accuracy", "valid_macro_f1", ""))
    for key in ("batch_size", "data.min_count", "data.limit"):
        require(config, key, 1)
    for key, most in (
        ("embed", WIDEST),
        ("hidden", WIDEST),
        ("class_embed", WIDEST),
        ("layers", DEEPEST),
    ):
        require(config, f"model.{key}", 1, most)
    require(config, "data.buckets", 1, 1000)
    require(config, "ensemble.members", 1, MEMBERS)
    require(config, "data.most", 2)
    require(config, "data.crop", 0)
    require(config, "data.test_seed", 0, SEED)
    if config.data.crop and config.curve:
        raise UserError(f"--config.data.crop={config.data.crop}: not with --config.curve")
    for key in ("dropout", "dropout_in", "embed_drop", "dropout_out", "weight_drop"):
        require(config, f"model.{key}", 0, 0.99)
    for key in ("pretrain.epochs", "pretrain.negatives"):
        require(config, key, 0)
    for key in ("adversarial.size", "adversarial.weight", "adversarial.virtual"):
        require(config, key, 0, WEIGHT)
    for key in ("model.activation", "model.temporal"):
        require(config, key, 0, WEIGHT)
    require(config, "pretrain.discriminate", 0.01, 1)
    require(config, "curve", 0, 20)
    if config.pretrain.epochs and config.optimizer.schedule == "plateau":
        raise UserError("--config.optimizer.schedule=plateau: not with --config.pretrain.epochs")
    if config.pretrain.epochs and config.patience:
        raise UserError(
            f"--config.patience={config.patience}: not with --config.pretrain.epochs, which teach none; "
            "add --config.pretrain.epochs=0"
        )
    if config.objective == "generative":
        others = {
            "pretrain.epochs": config.pretrain.epochs,
            "adversarial.size": config.adversarial.size,
            "smoothing": config.smoothing,
        }
        for key, value in others.items():
            if value:
                said = "not with --config.objective=generative; add"
                raise UserError(f"--config.{key}={value}: {said} --config.{key}=0")
    if config.curve and config.ensemble.members > 1:
        raise UserError("--config.curve: a bank of its own; add --config.ensemble.members=1")
    for name in ("best", "target"):
        if not config.data.valid and config[name].metric:
            raise UserError(
                f"--config.data.valid=0: no validation part to choose by; add --config.{name}.metric="
            )
    for key in ("smoothing", "word_drop", "data.valid", "data.test"):
        require(config, key, 0, 0.99)
