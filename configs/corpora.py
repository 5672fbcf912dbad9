"""Generators of several corpora, and a classifier that checks what they write (source 000).

The numbers that follow a command: the time of all its trainings and of the check on 2 CPU cores, and
the share of what the generators write that the classifier names right (generated_accuracy).

    python train.py --config=configs/corpora.py          60 s     0.6495   parts of Python's documentation
    python train.py --config=configs/corpora.py:books    26 min   0.9775   four books
    python train.py --config=configs/corpora.py --config.data.path=FOLDER --run=runs/mine

The last is for your own texts: a folder with a .txt file a corpus. How settings were chosen:
docs/choices.md.
"""

from zoo.tasks.corpora.config import defaults

VARIANTS = ("docs", "books")


def get_config(variant="docs"):
    c = defaults()
    c.name, c.variant = "corpora", variant
    c.results = (
        ("generated_accuracy", None, ""),
        ("generated_svm_accuracy", None, ""),
        ("classifier_accuracy", "svm_accuracy", "TF-IDF + SVM, on the same sequences"),
        ("generated_copied", "human_copied", "people, in held-out text"),
        ("test_ppl", "test_kneser_ney_ppl", "Kneser-Ney 5-gram, on the same words"),
    )
    common, generator, classifier = c.common, c.generator, c.classifier
    for g in (common, generator):
        g.best.metric = "valid_loss"
        g.optimizer.update({"b2": 0.99, "schedule": "cosine", "final_fraction": 0.01})
        g.model.update({"dropout_in": 0.4, "dropout_out": 0.5})
        g.eval_epochs = 1.0
    common.optimizer.update({"learning_rate": 3e-3, "warmup_steps": 50})
    generator.optimizer.update({"learning_rate": 5e-4, "warmup_steps": 20})
    generator.kneser_ney = 5
    classifier.optimizer.update({"schedule": "cosine", "final_fraction": 0.01, "warmup_steps": 50})
    classifier.data.update({"buckets": 1, "lowercase": False})
    classifier.model.update({"dropout_in": 0.5, "dropout_out": 0.5, "embed_drop": 0.5})
    classifier.best.update({"metric": "valid_loss", "mode": "min"})
    if variant == "docs":
        c.about = "parts of Python's documentation, written and told apart"
        for g in (common, generator):
            g.batch_size, g.optimizer.learning_rate = 8, 5e-3
            g.model.update({"embed": 128, "hidden": 128})
        common.epochs, common.eval_epochs = 20.0, 2.0
        generator.epochs, generator.optimizer.learning_rate = 10.0, 2e-3
        classifier.batch_size, classifier.epochs, classifier.eval_epochs = 16, 20.0, 2.0
        classifier.model.update({"embed": 64, "hidden": 64})
    else:
        c.about = "Alice, Sherlock Holmes, maxims and Shakespeare, written and told apart"
        c.data.corpora = ("alice", "sherlock", "maxims", "shakespeare")
        for g in (common, generator):
            g.batch_size, g.negatives = 20, 2000
            g.model.update({"embed": 256, "hidden": 512})
        common.epochs, generator.epochs, generator.eval_epochs = 7.0, 4.0, 0.5
        generator.optimizer.learning_rate = 2e-3
        generator.optimizer.average, generator.best.slack = "ema", 0.005
        generator.model.update({"dropout_in": 0.6, "dropout_out": 0.7})
        generator.model.update({"weight_drop": 0.4, "embed_drop": 0.2})
        classifier.batch_size, classifier.epochs, classifier.eval_epochs = 64, 4.0, 1.0
        classifier.optimizer.learning_rate, classifier.ensemble.members = 5e-3, 3
        classifier.word_drop = 0.1
        classifier.model.update({"embed": 256, "hidden": 256})
    return c
