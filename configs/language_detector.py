"""Which language a string is in, by the likelihood under a character model of each (source 004).

Each command is followed by the time that training takes on 2 CPU cores and by the score to expect, the mean
of five seeds (of world_words one, timed beside other work): AUC on strings of 5 characters of the test part
(test_auc_5), of ``world`` and world_words the share of single words that are recognised
(test_accuracy_single_words).

    python train.py --config=configs/language_detector.py                   7 s       0.934   as its source
    python train.py --config=configs/language_detector.py:source_window50   52 s      0.923   windows of 50
    python train.py --config=configs/language_detector.py:source_20_epochs  17 s      0.9406  more epochs
    python train.py --config=configs/language_detector.py:english_french    101 s     0.9554  12 members
    python train.py --config=configs/language_detector.py:genesis           68 s      0.9841  more text
    python train.py --config=configs/language_detector.py:world             11.4 min  0.700   27 languages
    python train.py --config=configs/language_detector.py:world_words       63 min    0.835   word lists

    python train.py --config=configs/language_detector.py:english_french --config.data.languages='()' \\
        --config.data.path=FOLDER --run=runs/mine                           one file a language, of your own

The texts are those of the UDHR archive, lower-cased, the first 80 % of the words to train and the rest to
test; genesis is trained on Genesis, and tested on the UDHR too. world_words trains on frequent words, too:
those of the package wordfreq (pip install '.[words]'; its lists are CC BY-SA 4.0), 30,000 a language at
most. How settings were chosen, how often test parts were seen, and where this differs from the source:
docs/choices.md.
"""

from zoo.tasks.language_detection.config import defaults

VARIANTS = (
    "source",
    "source_window50",
    "source_20_epochs",
    "english_french",
    "genesis",
    "world",
    "world_words",
)


def get_config(variant="source"):
    c = defaults()
    c.name, c.variant = "language_detector", variant
    c.data.languages = ("en", "fr")
    c.results = (
        ("test_auc_5", 0.9536, "Kneser-Ney 5-gram, same text"),
        ("test_auc_20", 0.9999, "Kneser-Ney 5-gram, same text"),
        ("test_auc_source", 0.6514, "source 004"),
    )
    if variant.startswith("world"):
        return _world(c, variant)
    c.baselines = "ngrams"
    if variant == "english_french":
        c.about = "one model told the language, six forwards, six backwards, discriminative"
        c.model.update({"shared": True, "embed": 32, "hidden": 64, "class_embed": 8})
        c.ensemble.update({"members": 12, "backward": True})
        c.discriminative, c.data.valid = 0.8, 0.02
        c.data.window = 6
        c.batch_size, c.steps, c.eval_every, c.log_every = 64, 2400, 2400, 100
        c.optimizer.update({"name": "adam", "learning_rate": 2e-2, "schedule": "cosine"})
        return c
    c.about = "source 004: LSTM 128, 5 epochs"
    c.data.window = 50 if variant == "source_window50" else 5
    c.model.update({"embed": 0, "hidden": 128})
    c.batch_size, c.epochs, c.eval_epochs, c.log_every = 128, 5.0, 5.0, 17
    c.optimizer.update({"name": "rmsprop", "learning_rate": 1e-2, "clip_norm": 0.0})
    if variant == "source_window50":
        c.about = "source 004: windows of 50"
    if variant == "source_20_epochs":
        c.about = "source 004: 20 epochs"
        c.epochs = c.eval_epochs = 20.0
    if variant == "genesis":
        c.about = "source 004's model on Genesis, tested on the UDHR too"
        c.data.name, c.data.test_on = "genesis", "udhr"
        c.results = (
            (
                "test_auc_5",
                "logistic_regression_auc_5",
                "logistic regression on n-grams, same text",
            ),
            ("udhr_test_auc_5", 0.918, "Kneser-Ney 5-gram, same text"),
            ("udhr_test_auc_20", 0.999, "Kneser-Ney 5-gram, same text"),
        )
    return c


def _world(c, variant):
    from zoo.data.text.languages import WORLD

    c.data.update({"languages": WORLD, "window": 16, "test": 0.0, "valid": 0.05})
    c.data.update({"ends": "spaces", "min_count": 12})
    c.model.update({"shared": True, "embed": 48, "hidden": 96, "class_embed": 16})
    c.data.test_path = "$ZOO_DATA/langid/lingua_testdata"
    c.about = "27 languages, four models told which, two read backwards; 13,000 characters each"
    same, more = "naive Bayes, same text", "trained on vastly more text"
    c.results = (
        ("test_accuracy_single_words", "naive_bayes_accuracy_single_words", same),
        ("test_accuracy_sentences", "naive_bayes_accuracy_sentences", same),
        ("test_accuracy_single_words", "lingua_accuracy_single_words", f"lingua, {more}"),
        ("test_accuracy_sentences", "py3langid_accuracy_sentences", f"py3langid, {more}"),
    )
    c.ensemble.update({"members": 4, "backward": True})
    c.discriminative, c.contenders, c.contamination = 0.8, 4, 1e-2
    c.baselines = "ngrams"
    c.batch_size, c.steps, c.eval_every, c.log_every = 108, 2500, 2500, 100
    c.optimizer.update({"name": "adam", "learning_rate": 1e-2, "schedule": "cosine"})
    if variant == "world_words":
        # Words are many: a model of its own for each language holds more of them, and reads more of them
        # in the same time than one that is told the language and scores contenders, too.
        c.about = "27 languages, with lists of frequent words: a model each way for each"
        c.data.update({"words": "wordfreq", "min_count": 1200, "starts": "spaces"})
        c.model.update({"shared": False, "embed": 32, "hidden": 128})
        c.discriminative, c.ensemble.members = 0.0, 2
        c.batch_size, c.steps, c.eval_every = 32, 7000, 7000
    return c
