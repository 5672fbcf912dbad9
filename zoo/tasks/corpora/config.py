"""The keys of a corpora config, and what they may be."""

from ml_collections import ConfigDict

from zoo.config import base, require
from zoo.errors import UserError
from zoo.tasks import Metric, defaults_of

METRICS = {
    "classifier_accuracy": Metric("held-out sequences, right corpus", "share", "higher"),
    "generated_accuracy": Metric("generated sequences named as their own corpus", "share", "higher"),
    "generated_svm_accuracy": Metric("the same, by TF-IDF + SVM", "share", "higher"),
    "generated_copied": Metric("8-grams of generated text that are in the training text", "share", "lower"),
    "test_ppl": Metric("perplexity on held-out text, mean of corpora", "words to choose among", "lower"),
}  # fmt: skip


def defaults() -> ConfigDict:
    """The keys of the task, with their defaults, upon those that every config has; ``common`` and
    ``generator`` have all keys of a language model, ``classifier`` all of a text classification."""
    c = base()
    c.task = "corpora"
    c.data = {
        "corpora": (),  # names; () for all of the folder, or for parts of Python's documentation
        "path": "",  # a folder, with a .txt file a corpus
        "encoding": "utf-8",  # of texts of yours
        "unwrap": True,  # line breaks inside of paragraphs go
        "length": 50,  # words of a sequence
        "min_count": 2,  # rarer words are the unknown symbol
        "most": 60_000,  # words of the vocabulary
        "valid": 0.1,  # of each corpus: it chooses the best parameters
        "test": 0.1,  # of each corpus
    }
    c.check = {
        "sequences": 500,  # that each generator writes for the classifier
        "temperature": 1.0,  # below 1 bolder, above 1 wilder, 0 the most probable
        "ngram": 8,  # words in a row that count as copied
    }
    c.common = defaults_of("language_model")
    c.generator = defaults_of("language_model")
    c.classifier = defaults_of("classification")
    return c


def check(config: ConfigDict) -> None:
    """Raises UserError for a key out of range; stages check their own."""
    for key in ("steps", "epochs"):
        if config[key] is not None:
            raise UserError(
                f"--config.{key}={config[key]}: each stage has its own; set --config.common.{key}, "
                f"--config.generator.{key} or --config.classifier.{key}"
            )
    if config.start:
        raise UserError(
            f"--config.start={config.start}: a training in stages starts from no other run; its stages do, "
            "from its own first one"
        )
    for key in ("data.length", "data.min_count", "check.ngram"):
        require(config, key, 1)
    require(config, "check.sequences", 1, 1_000_000)
    require(config, "data.most", 2)
    require(config, "check.temperature", 0, 1000)
    require(config, "data.valid", 0.001, 0.99)
    require(config, "data.test", 0.001, 0.99)
    if config.check.ngram > config.data.length:
        raise UserError(
            f"--config.check.ngram={config.check.ngram}: must be at most --config.data.length, "
            f"{config.data.length}"
        )
