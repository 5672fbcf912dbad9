"""The keys of a language detection config, and what they may be."""

import math

from ml_collections import ConfigDict

from zoo.bounds import DEEPEST, MEMBERS, PRECISIONS, WIDEST
from zoo.config import base, choose, require
from zoo.errors import UserError
from zoo.tasks import Metric

_AUC = "1 = always right, 0.5 = guessing"
METRICS = {
    "test_auc_5": Metric("strings of 5 characters, test part (AUC)", _AUC, "higher"),
    "test_auc_20": Metric("strings of 20 characters, test part (AUC)", _AUC, "higher"),
    "test_auc_source": Metric(
        "200 strings of 5 characters, drawn as in source 004 (AUC)", _AUC, "higher"
    ),
    "udhr_test_auc_5": Metric(
        "strings of 5 characters of another text, the UDHR (AUC)", _AUC, "higher"
    ),
    "udhr_test_auc_20": Metric(
        "strings of 20 characters of another text, the UDHR (AUC)", _AUC, "higher"
    ),
    "test_accuracy_single_words": Metric(
        "single words of news, right language", "share, mean over languages", "higher"
    ),
    "test_accuracy_sentences": Metric(
        "sentences of news, right language", "share, mean over languages", "higher"
    ),
}


def defaults() -> ConfigDict:
    """The keys of the task, with their defaults, upon those that every config has."""
    c = base()
    c.task = "language_detection"
    c.data = {
        "name": "udhr",  # udhr or genesis
        "path": "",  # a folder with one file a language, or en=one.txt,fr=other.txt
        "languages": (),  # codes; () for all that are there
        "words": "",  # lists of frequent words that train too: wordfreq, or a folder with CODE.txt files
        "encodings": "",  # of files that are not UTF-8: fr=iso-8859-1
        "lowercase": True,  # letters are made small
        "min_count": 2,  # rarer characters stand for the unknown symbol of their script
        "window": 8,  # characters of a training string
        "starts": "anywhere",  # of training strings; or spaces, after which words begin
        "ends": "none",  # none, or spaces, between which whole strings are read
        "valid": 0.0,  # the last part of the training words
        "test": 0.2,  # the last words
        "test_on": "",  # in addition the last 20 % of these texts: udhr
        "test_path": "",  # folders of lines: FOLDER/KIND/CODE.txt
        "test_lines": 0,  # of each file; 0 for all
    }
    c.model = {
        "cell": "lstm",  # a name of zoo.cells.CELLS
        "embed": 32,  # size of the embedding; 0 for one-hot characters
        "hidden": 64,  # width of a layer
        "layers": 1,  # one upon the other
        "dropout": 0.0,  # between layers
        "dropout_in": 0.0,  # of the embedding
        "dropout_out": 0.0,  # of the last layer
        "weight_drop": 0.0,  # of the recurrent weights
        "embed_drop": 0.0,  # of whole characters
        "precision": "float32",  # of the products of a training step: float32 or bfloat16
        "shared": False,  # one model for all languages, told which by class_embed numbers
        "class_embed": 8,  # numbers that each language is known by
    }
    c.ensemble = {
        "members": 1,  # models whose answers are joined
        "backward": False,  # every second member reads strings from their end
    }
    c.discriminative = 0.0  # share of the loss that tells languages apart
    c.contenders = 2  # languages that are told apart there, the right one among them
    c.contamination = 0.0  # a character that a language does not expect costs its log at most
    c.priors = ""  # weights before a string is read: en=3,fr=1; others 1
    c.margin = 0.1  # how much more probable than the second the first must be; else "unknown"
    c.baselines = "none"  # none, or ngrams: models on the same text, lingua, py3langid
    return c


def check(config: ConfigDict) -> None:
    """Raises UserError for a key out of range."""
    from zoo.cells import CELLS  # not for --help

    c = config
    choose(c, "model.cell", CELLS)
    choose(c, "model.precision", PRECISIONS)
    choose(c, "data.ends", ("none", "spaces"))
    choose(c, "data.starts", ("anywhere", "spaces"))
    choose(c, "baselines", ("none", "ngrams"))
    for key in ("best.metric", "target.metric"):
        choose(c, key, ("", "valid_loss"))
    for key in ("batch_size", "data.window", "data.min_count"):
        require(c, key, 1)
    require(c, "ensemble.members", 1, MEMBERS)
    require(c, "model.hidden", 1, WIDEST)
    require(c, "model.layers", 1, DEEPEST)
    for key in ("model.embed", "model.class_embed"):
        require(c, key, 0, WIDEST)
    require(c, "data.test_lines", 0)
    for key in ("dropout", "dropout_in", "dropout_out", "weight_drop", "embed_drop"):
        require(c, f"model.{key}", 0, 0.99)
    for key in ("data.valid", "data.test"):
        require(c, key, 0, 0.9)
    for key in ("discriminative", "margin", "contamination"):
        require(c, key, 0, 1)
    require(c, "contenders", 2)
    parse_priors(c.priors)
    if c.discriminative and not c.model.shared:
        raise UserError(
            f"--config.discriminative={c.discriminative}: needs --config.model.shared, one model for "
            "all languages; the members of a bank know nothing of each other"
        )
    if c.ensemble.backward and c.ensemble.members < 2:
        raise UserError(
            "--config.ensemble.backward=True: every second member reads backwards; needs "
            "--config.ensemble.members of 2 or more"
        )
    if c.best.metric and not c.data.valid:
        raise UserError(
            "--config.data.valid=0: no validation part to choose by; add --config.best.metric="
        )


def parse_priors(text: str, key: str = "config.priors") -> dict[str, float]:
    """Weights by language, out of en=3,fr=1. Raises UserError, naming ``key``, for anything else."""
    weights = {}
    for part in filter(None, text.split(",")):
        code, _, weight = part.partition("=")
        try:
            number = float(weight)
        except ValueError:
            number = -1.0
        if not code or not 0 < number < math.inf:
            raise UserError(f"--{key}: {part!r}: must be CODE=WEIGHT, more than 0, as in en=3,fr=1")
        if code in weights:
            raise UserError(f"--{key}: {code!r} is given twice")
        weights[code] = number
    return weights


def upgrade(record: dict) -> dict:
    """A config of 0.1, whose priors were a dictionary."""
    if not isinstance(record.get("priors"), dict):
        return record
    return record | {"priors": ",".join(f"{code}={w}" for code, w in record["priors"].items())}
