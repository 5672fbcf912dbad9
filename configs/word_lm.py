"""Word language models.

The numbers that follow a command: the time that training took on 2 CPU cores, and the perplexity to
expect on the part of the text that is held out (valid_ppl; of wikitext2 test_ppl).

    python train.py --config=configs/word_lm.py                        2.0 min  35.2   Python's own docs
    python train.py --config=configs/word_lm.py:nursery_rhymes         1.9 min  28.73  The Real Mother Goose
    python train.py --config=configs/word_lm.py:nursery_rhymes_source  2.3 min  1115   as source 003 does it
    python train.py --config=configs/word_lm.py:wikitext2              40 min   115.5  WikiText-2
    python train.py --config=configs/word_lm.py:wikitext2_awd          for a GPU; not measured
    python train.py --config=configs/word_lm.py --config.data.path=FILE --run=runs/mine

The last is for your own text. Source 003 trains on, whatever the held-out part says; and it counts neither
the first word of a line nor its end, so that its perplexity is of other words than that of nursery_rhymes.
How settings were chosen: docs/choices.md.
"""

from zoo.tasks.language_model.config import defaults

VARIANTS = ("docs", "nursery_rhymes", "nursery_rhymes_source", "wikitext2", "wikitext2_awd")


def get_config(variant="docs"):
    c = defaults()
    c.name, c.variant, c.data.name = "word_lm", variant, variant
    c.data.symbols, c.kneser_ney = "words", 5
    c.best.metric = "valid_loss"
    c.results = (("valid_ppl", "valid_kneser_ney_ppl", "Kneser-Ney 5-gram, on the same words"),)
    c.optimizer.update({"b2": 0.99, "schedule": "cosine", "final_fraction": 0.01})
    c.optimizer.update({"learning_rate": 3e-3, "warmup_steps": 100})
    c.model.update({"tie": True, "embed": 256, "hidden": 256})
    if variant == "docs":
        c.about = "the documentation that Python ships (3.11), by words"
        c.batch_size, c.data.window, c.epochs, c.eval_epochs = 16, 35, 12.0, 1.0
        c.model.update({"dropout_in": 0.3, "dropout_out": 0.5, "embed_drop": 0.1})
    elif variant == "nursery_rhymes_source":
        # Source 003: every prefix of each line, padded on its left; an embedding, a bidirectional LSTM, a
        # softmax over the next word. It states no sizes and no figures.
        c.about = "source 003: nursery rhymes, a bidirectional LSTM over the prefixes of lines"
        c.data.update({"name": "nursery_rhymes", "batches": "prefixes", "window": 16})
        c.data.update({"lowercase": True, "min_count": 1})
        c.kneser_ney, c.best.metric, c.results = 0, "", (("valid_ppl", None, ""),)
        c.batch_size, c.epochs, c.eval_epochs = 32, 12.0, 1.0
        c.model.update({"tie": False, "embed": 100, "hidden": 150, "bidirectional": True})
        c.optimizer.update({"name": "adam", "learning_rate": 1e-3, "b2": 0.999, "clip_norm": 0.0})
        c.optimizer.update({"schedule": "constant", "warmup_steps": 0})
    elif variant == "nursery_rhymes":
        c.about = "The Real Mother Goose, by words"
        c.kneser_ney = 3
        c.results = (("valid_ppl", "valid_kneser_ney_ppl", "Kneser-Ney 3-gram, on the same words"),)
        c.batch_size, c.data.window, c.epochs, c.eval_epochs = 8, 25, 40.0, 1.0
        c.model.update(
            {"dropout_in": 0.5, "dropout_out": 0.7, "embed_drop": 0.3, "weight_drop": 0.3}
        )
    elif variant == "wikitext2_awd":
        # Merity et al. 2018, AWD-LSTM, without its weight decay of 1.2e-6 and its rate by window length.
        c.about = "WikiText-2, the AWD-LSTM of its paper; for a GPU"
        c.data.update({"name": "wikitext2", "symbols": "tokenised", "min_count": 1})
        c.data.update({"window": 70, "vary": 5.0})
        c.results = (("test_ppl", 65.8, "AWD-LSTM, published"),)
        c.batch_size, c.epochs, c.eval_epochs = 80, 750.0, 1.0
        c.model.update(
            {"embed": 400, "hidden": 1150, "layers": 3, "dropout": 0.2, "dropout_in": 0.65}
        )
        c.model.update({"dropout_out": 0.4, "embed_drop": 0.1, "weight_drop": 0.5})
        c.model.update({"activation": 2.0, "temporal": 1.0})
        c.optimizer.update({"name": "sgd", "learning_rate": 30.0, "clip_norm": 0.25})
        c.optimizer.update({"schedule": "constant", "warmup_steps": 0, "average": "asgd"})
    else:
        c.about = "WikiText-2: good articles of Wikipedia"
        c.data.update({"symbols": "tokenised", "min_count": 1})
        c.results = (
            ("test_ppl", "test_kneser_ney_ppl", "Kneser-Ney 5-gram, on the same words"),
            ("test_ppl", 65.8, "AWD-LSTM, 33 million parameters, 750 epochs of a GPU, published"),
        )
        c.batch_size, c.data.window, c.epochs, c.eval_epochs = 32, 35, 9.0, 3.0
        c.negatives = 2000
        c.model.update({"layers": 2, "dropout": 0.2, "dropout_in": 0.1, "dropout_out": 0.3})
    return c
