"""The keys of a language model config, and what they may be."""

from itertools import pairwise

from ml_collections import ConfigDict

from zoo.bounds import DEEPEST, PRECISIONS, WEIGHT, WIDEST
from zoo.config import base, choose, require, shown
from zoo.errors import UserError
from zoo.tasks import Metric

METRICS = {
    "train_loss": Metric("loss in training, with dropout", "nats per character", "lower"),
    "valid_loss": Metric("loss on the last tenth of the text", "nats per character", "lower"),
    "valid_dynamic_loss": Metric(
        "that loss, with parameters that follow the text", "nats per character", "lower"
    ),
    "valid_mixed_loss": Metric(
        "that loss, together with a Kneser-Ney model", "nats per character", "lower"
    ),
    "valid_bpc": Metric("loss on the validation part", "bits per character", "lower"),
    "valid_ppl": Metric("perplexity on the validation part", "words to choose among", "lower"),
    "test_ppl": Metric("perplexity on the test part", "words to choose among", "lower"),
    "seconds_to_target": Metric(
        "training until that loss is 1.717, where source 002 ends", "seconds", "lower"
    ),
}


def defaults() -> ConfigDict:
    """The keys of the task, with their defaults, upon those that every config has."""
    c = base()
    c.task = "language_model"
    c.data = {
        "name": "docs",  # of a corpus
        "path": "",  # a text of yours instead: a file, or a folder
        "corpora": (),  # names; with some, or with a folder as path, a bank: a model for each
        "together": False,  # one model for all of them instead
        "joined": False,  # a folder as path is one text, its files one after the other
        "files": "*",  # which, such as "*.py,*.pyi"
        "in_memory": 64.0,  # megabytes; ids of a larger text of yours are in the cache
        "encoding": "utf-8",  # of a text of yours
        "unwrap": False,  # line breaks inside of paragraphs go
        "symbols": "characters",  # characters, bytes, words, tokenised, pieces, alphabet
        "lowercase": False,  # letters are made small
        "min_count": 2,  # rarer characters or words are the unknown symbol
        "most": 60_000,  # words or pieces of the vocabulary
        "batches": "lanes",  # lanes, chunks, prefixes, windows
        "window": 64,  # symbols of a step
        "targets": "last",  # of windows: the symbol after them, or "all": after each of their symbols
        "vary": 0.0,  # standard deviation of the length of windows, of lanes
        "valid": 0.1,  # share of the text, after the training part
        "test": 0.0,  # share of the text, its end
    }
    c.model = {
        "cell": "lstm",  # a name of zoo.cells.CELLS
        "ensemble": 1,  # models whose probabilities are averaged
        "embed": 64,  # of windows also 0: the number of a symbol, divided by how many there are
        "hidden": 256,  # width of a layer
        "layers": 1,  # one upon the other
        "dropout": 0.0,  # between layers
        "dropout_in": 0.0,  # of the embedding
        "dropout_out": 0.0,  # of the last layer
        "weight_drop": 0.0,  # of the recurrent weights
        "embed_drop": 0.0,  # of whole symbols
        "activation": 0.0,  # weight of a penalty on large outputs
        "temporal": 0.0,  # weight of a penalty on outputs that change
        "precision": "float32",  # of the products of a training step: float32 or bfloat16
        "tie": False,  # the output has the weights of the embedding
        "cutoffs": (),  # words at which the tails of an adaptive softmax begin; () for none
        "bidirectional": False,  # of prefixes and windows
    }
    # what is not given follows from the length of a text of yours (data.path) and the minutes there are
    c.adapt = False
    c.negatives = 0  # symbols drawn in training to stand for the vocabulary; 0 for all of it
    # order of the n-gram model that is reported beside it; 0 for none, -1 for the best one by the last
    # tenth of the training part
    c.kneser_ney = 0
    c.mix = False  # reports both together, too
    c.dynamic = False  # reports parameters that follow the text, and an n-gram model that does
    return c


def check(config: ConfigDict) -> None:
    """Raises UserError for a model or data key out of range."""
    from zoo.cells import CELLS  # not for --help
    from zoo.data.text.tokenizers import KINDS

    choose(config, "model.cell", CELLS)
    choose(config, "model.precision", PRECISIONS)
    choose(config, "data.batches", ("lanes", "chunks", "prefixes", "windows"))
    choose(config, "data.targets", ("last", "all"))
    choose(config, "data.symbols", KINDS)
    if config.data.together and not config.data.corpora and not config.data.path:
        raise UserError(
            "--config.data.together: of --config.data.corpora, or a folder as --config.data.path"
        )
    _check_files(config)
    if config.data.corpora and config.data.batches != "chunks":
        raise UserError(
            f"--config.data.batches={config.data.batches}: several corpora are read in chunks; add "
            "--config.data.batches=chunks"
        )
    of_windows = config.data.batches in ("prefixes", "windows")
    if of_windows:
        _check_window_model(config)
    if config.model.bidirectional and not (of_windows and config.data.targets == "last"):
        raise UserError(
            "--config.model.bidirectional: it would see what it is to predict; only with "
            "--config.data.batches=prefixes or windows, and --config.data.targets=last"
        )
    if config.data.targets == "all" and config.data.batches != "windows":
        raise UserError("--config.data.targets=all: only with --config.data.batches=windows")
    cutoffs = (0, *config.model.cutoffs)
    if not all(isinstance(cutoff, int) for cutoff in cutoffs) or any(
        low >= high for low, high in pairwise(cutoffs)
    ):
        raise UserError(
            f"--config.model.cutoffs={shown(config.model.cutoffs)}: must rise, such as 2000,10000"
        )
    if config.model.cutoffs and (config.negatives or config.model.tie):
        other = "negatives" if config.negatives else "model.tie"
        raise UserError(f"--config.model.cutoffs: not with --config.{other}; leave one of them out")
    for key in ("best.metric", "target.metric"):
        choose(config, key, ("train_loss", "valid_loss", "valid_bpc", ""))
    require(config, "data.most", 2)
    if config.data.vary and config.data.batches != "lanes":
        raise UserError(
            f"--config.data.vary={config.data.vary}: only of --config.data.batches=lanes"
        )
    for key in ("data.vary", "negatives"):
        require(config, key, 0)
    for key in ("model.activation", "model.temporal"):
        require(config, key, 0, WEIGHT)
    require(config, "kneser_ney", -1, 100)
    if config.mix and not config.kneser_ney:
        raise UserError("--config.mix=True: needs an n-gram model; add --config.kneser_ney=-1")
    for key in ("batch_size", "data.window", "data.min_count"):
        require(config, key, 1)
    require(config, "model.hidden", 1, WIDEST)
    require(config, "model.embed", 0 if config.data.batches == "windows" else 1, WIDEST)
    require(config, "model.layers", 1, DEEPEST)
    require(config, "model.ensemble", 1, DEEPEST)
    for key in ("data.valid", "data.test"):
        require(config, key, 0, 0.99)
    if config.data.valid + config.data.test >= 1:
        raise UserError(
            f"--config.data.valid={config.data.valid} and --config.data.test={config.data.test}: leave no "
            "text to train on; together they must be below 1"
        )
    if not config.data.valid and config.best.metric.startswith("valid_"):
        raise UserError(
            "--config.data.valid=0: no validation part to choose by; add --config.best.metric="
        )
    for key in ("dropout", "dropout_in", "dropout_out", "weight_drop", "embed_drop"):
        require(config, f"model.{key}", 0, 0.99)


def _check_files(config):
    """Keys of a folder that is one text."""
    d = config.data
    if d.joined and not d.path:
        raise UserError("--config.data.joined: of a folder; add --config.data.path=FOLDER")
    if d.joined and (d.corpora or d.together):
        other = "corpora" if d.corpora else "together"
        raise UserError(f"--config.data.joined: not with --config.data.{other}; it is one text")
    if d.files != "*" and not d.joined:
        raise UserError(f"--config.data.files={d.files}: only with --config.data.joined=True")
    require(config, "data.in_memory", 0)


def _check_window_model(config):
    """What a model of prefixes or windows does not have."""
    kinds = {"prefixes": ("words", "characters"), "windows": ("characters", "bytes", "words")}
    batches = config.data.batches
    if config.data.symbols not in kinds[batches]:
        raise UserError(
            f"--config.data.symbols={config.data.symbols}: {batches} are of "
            f"{' or '.join(kinds[batches])}"
        )
    lacking = (
        "tie",
        "cutoffs",
        "dropout_in",
        "weight_drop",
        "embed_drop",
        "activation",
        "temporal",
    )
    if config.model.ensemble > 1:
        raise UserError(f"--config.model.ensemble: not with --config.data.batches={batches}")
    for key in (*(f"model.{name}" for name in lacking), "negatives", "kneser_ney", "dynamic"):
        group, _, name = key.rpartition(".")
        if (config[group] if group else config)[name]:
            raise UserError(f"--config.{key}: not with --config.data.batches={batches}")
