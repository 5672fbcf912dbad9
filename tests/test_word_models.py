"""Models of words: tokens, perplexity, estimates of the softmax, prefixes, several corpora at once."""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo import cli, sample, tasks
from zoo import config as configs
from zoo.data import batches
from zoo.data.text import corpus, words
from zoo.errors import UserError
from zoo.models import LanguageModel
from zoo.models.stack import penalised
from zoo.runs import load
from zoo.tasks.language_model import prefixes

ROOT = Path(__file__).parent.parent
CONFIG = str(ROOT / "configs/word_lm.py")
LINES = ["the cat sat on the mat", "a dog ran to the cat", "the dog sat", "a cat ran", ""]


def text(seed, lines=120):
    return "\n".join(np.random.default_rng(seed).choice(LINES, lines)) + "\n"


@pytest.fixture
def config(tmp_path):
    (tmp_path / "text.txt").write_text(text(0), encoding="utf-8")
    c = configs.load(CONFIG)
    c.data.path = str(tmp_path / "text.txt")
    c.batch_size, c.data.window, c.data.valid, c.kneser_ney = 2, 5, 0.3, 2
    c.model.update({"hidden": 6, "embed": 3, "dropout_out": 0.0, "dropout_in": 0.0})
    c.model.embed_drop = 0.0
    return c


def folder(tmp_path, names=("one", "two")):
    tmp_path.mkdir()
    for i, name in enumerate(names):
        (tmp_path / f"{name}.txt").write_text(text(i, 80 + 40 * i), encoding="utf-8")
    return str(tmp_path)


def test_a_text_for_people_comes_out_of_tokens():
    raw = "He said : \" It 's a well @-@ known 1 @,@ 000 , is n't it ? \""
    assert words.text_of(words.marked(raw)) == "He said: \"It's a well-known 1,000, isn't it?\""
    assert words.capitalised('she ran. "why?" he said\ni know') == 'She ran. "Why?" he said\nI know'
    assert words.separated("A well-known cat, sat.") == "A well @-@ known cat , sat ."


def test_prose_is_unwrapped_at_its_paragraphs():
    assert corpus.unwrapped("a\nb  c\n\n \nd\n") == "a b c\nd\n"


def test_perplexity_and_bits_are_of_the_same_nats(config):
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    got = task.evaluate(params, "valid").metrics
    part = corpus.split(text(0), 0.3)["valid"]
    nats = got["valid_loss"] * len(words.tokens(part, lines=True))
    assert got["valid_ppl"] == pytest.approx(math.exp(got["valid_loss"]))
    assert got["valid_bpc"] == pytest.approx(nats / len(part) / math.log(2))
    beside = task.evaluate(params, "train").metrics
    assert 1 < beside["valid_kneser_ney_ppl"] < task.vocabulary.size
    assert set(task.describe_data()["unknown"]) == {"train", "valid"}


def test_a_corpus_that_comes_in_parts_keeps_them(tmp_path, monkeypatch):
    rows = {}
    for name, kind in (("made", "text"), ("made_valid", "part"), ("made_test", "part")):
        (tmp_path / f"{name}.txt").write_text(f"{name} .\n" * 9)
        rows[name] = corpus.registry.Source("", "", 0, "", f"{name}.txt", "", kind=kind)
    monkeypatch.setattr(corpus.registry, "REGISTRY", rows)
    monkeypatch.setattr(corpus.registry, "locate", lambda name: tmp_path / f"{name}.txt")
    parts = corpus.parts("made", None, 0.1, 0.0)
    assert [p.split()[0] for p in parts.values()] == ["made", "made_valid", "made_test"]
    assert corpus.registry.names() == ["docs", "made"]


def test_a_file_in_another_encoding_is_declared(tmp_path, config):
    file = tmp_path / "latin.txt"
    file.write_bytes(text(0).replace("cat", "chèvre").encode("iso-8859-1"))
    config.data.path = str(file)
    with pytest.raises(UserError, match=r"is not UTF-8 .*--config\.data\.encoding=iso-8859-1"):
        tasks.make(config).describe_data()
    config.data.encoding = "iso-8859-1"
    assert "chèvre" in tasks.make(config).vocabulary.symbols
    config.data.encoding = "utf-99"
    with pytest.raises(UserError, match="no encoding of this name"):
        tasks.make(config).describe_data()


def test_negatives_stand_for_the_vocabulary_in_training_alone(config):
    config.negatives = 4
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    batch = task.gather(jnp.asarray(task.data("train")), task.indices(task.order("train", 0), 0, 0))
    whole = tasks.make(config)
    whole.config = config.copy_and_resolve_references()
    whole.config.negatives = 0
    want = float(whole.loss(params, task.carry(), batch, jax.random.key(0))[0]["loss"].total)
    keys = jax.random.split(jax.random.key(1), 2000)
    each = jax.jit(
        jax.vmap(lambda key: task.loss(params, task.carry(), batch, key)[0]["loss"].total)
    )
    mean = float(each(keys).mean())  # a little less: the mean of a logarithm
    assert 0.93 * want < mean < want
    jax.jit(lambda key: task.loss(params, task.carry(), batch, key)[0]["loss"].total)(
        keys[0]
    )  # once more
    assert task.evaluate(params, "valid").metrics == whole.evaluate(params, "valid").metrics


def test_an_adaptive_softmax_gives_the_nats_of_its_distribution(config):
    config.model.update({"tie": False, "cutoffs": (3, 6)})
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    tokens = jnp.asarray(task.data("train"))[None, :40]
    _, log_p = task.model.apply(params, tokens[:, :-1])
    _, nats = task.model.apply(params, tokens[:, :-1], tokens[:, 1:], method="nats")
    np.testing.assert_allclose(jnp.exp(log_p).sum(-1), 1, rtol=1e-5)
    chosen = jnp.take_along_axis(log_p, tokens[:, 1:, None], axis=-1)[..., 0]
    np.testing.assert_allclose(nats, -chosen, rtol=1e-4, atol=1e-5)
    assert len(task.generate(params, length=5, num=2)) == 2


def test_activation_regularisation_is_that_of_its_paper():
    tokens = jnp.arange(12).reshape(3, 4) % 7
    model = LanguageModel(7, 4, 5, activation=2.0, temporal=3.0, dropout_out=0.4)
    params = model.init(jax.random.key(0), tokens)
    options = {"train": True, "rngs": {"dropout": jax.random.key(1)}}
    (_, logits), penalty = penalised(model, params, tokens, **options)
    kernel, bias = params["params"]["kernel"], params["params"]["bias"][None, None]
    dropped = (logits - bias) @ jnp.linalg.pinv(kernel)
    raw = (model.apply(params, tokens)[1] - bias) @ jnp.linalg.pinv(kernel)
    want = 2 * jnp.mean(dropped**2) + 3 * jnp.mean((raw[:, 1:] - raw[:, :-1]) ** 2)
    assert float(penalty) == pytest.approx(float(want), rel=1e-3)
    plain = LanguageModel(7, 4, 5, dropout_out=0.4)
    (_, same), none = penalised(plain, params, tokens, **options)
    assert none == 0.0
    np.testing.assert_array_equal(same, logits)


def test_dropped_symbols_are_dropped_wherever_they_stand():
    tokens = jnp.array([[1, 2, 1, 3]])
    model = LanguageModel(7, 4, 5, embed_drop=0.5)
    params = model.init(jax.random.key(0), tokens)

    def inputs(key):
        moved = jax.grad(
            lambda e: model.apply(
                {"params": params["params"] | {"embedding": e}}, tokens, train=True,
                rngs={"dropout": key},
            )[1].sum()
        )(params["params"]["embedding"])  # fmt: skip
        return np.flatnonzero(np.abs(moved).sum(axis=1)).tolist()

    seen = {tuple(inputs(jax.random.key(i))) for i in range(12)}
    assert len(seen) > 3 and all(set(rows) <= {1, 2, 3} for rows in seen)


def test_chunks_of_several_texts_cross_no_border_and_all_are_read():
    sizes, window = [23, 61, 40], 4
    starts = np.asarray(batches.together_order(0, 1, sizes, window))
    borders = np.cumsum(sizes)
    assert len(starts) == len(set(starts.tolist())) == 4 + 12 + 8
    assert (
        np.searchsorted(borders, starts, "right") == np.searchsorted(borders, starts + 4, "right")
    ).all()
    epochs = [np.asarray(batches.passes_order(0, e, 61, window, 7)) for e in range(12)]
    read = np.concatenate(epochs)[: 12 * 7 // 12 * 12].reshape(-1, 12)
    assert all(sorted(row) == list(range(0, 60, 5)) for row in read.tolist())
    assert read[0].tolist() != read[1].tolist()


def test_windows_of_varying_length_follow_one_another_and_their_state_goes_with_them(config):
    config.data.vary, config.epochs = 1.5, 1.0
    task = tasks.make(config)
    params, key = task.init(jax.random.key(0)), jax.random.key(1)
    data, order = jnp.asarray(task.data("train")), task.order("train", 0)
    assert len(set(order.lengths.tolist())) > 3 and order.lengths.max() <= 8
    again, other = task.order("train", 0), task.order("train", 1)
    assert (again.lengths == order.lengths).all() and (other.lengths != order.lengths).any()
    carry, total, read = task.carry(), 0.0, [[], []]
    for i in range(4):
        batch = task.gather(data, task.indices(order, jnp.int32(i), 0))
        sums, carry = task.loss(params, carry, batch, key)
        total += float(sums["loss"].total)
        assert float(sums["loss"].weight) == 2 * int(order.lengths[i])
        for lane in range(2):
            read[lane] += batch["tokens"][lane, : int(order.lengths[i])].tolist()
    n = int(order.lengths[:4].sum())
    lanes = [(int(order.offset) + lane * (len(data) // 2)) % len(data) for lane in range(2)]
    for lane, start in enumerate(lanes):
        whole = np.asarray(data)[(start + np.arange(n + 1)) % len(data)]
        assert read[lane] == whole[:-1].tolist()
        _, logits = task.model.apply(params, whole[None, :-1])
        nats = -jax.nn.log_softmax(logits[0])[np.arange(n), whole[1:]]
        total -= float(nats.sum())
    assert total == pytest.approx(0, abs=2e-3)


def test_each_member_of_a_bank_learns_from_its_own_corpus(tmp_path, config):
    config.data.update({"path": folder(tmp_path / "texts"), "batches": "chunks"})
    task = tasks.make(config)
    assert task.corpora == ("one", "two") and task.members == 2
    data, order = task.data("train"), task.order("train", 0)
    first = len(task.vocabulary.encode(corpus.split(text(0, 80), 0.3)["train"]))
    for member, low, high in ((0, 0, first), (1, first, len(data))):
        starts, _ = task.indices(order, 0, member)
        assert ((low <= starts) & (starts + 6 <= high)).all()
    params = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 2))
    metrics = task.evaluate(params, "valid").metrics
    assert metrics["valid_ppl"].shape == (2,)
    with pytest.raises(UserError, match="--member is missing: one of one, two"):
        task.generate(params, length=3)
    with pytest.raises(UserError, match="--member=three: this run has one, two"):
        task.generate(params, length=3, member="three")
    config.data.together = True
    whole = tasks.make(config)
    one = whole.init(jax.random.key(0))
    assert whole.members == 0 and isinstance(
        whole.evaluate(one, "valid").metrics["valid_ppl"], float
    )
    assert len(whole.generate(one, length=5)) == 1


def test_a_prefix_ends_before_the_word_that_follows_it(config):
    config.data.update({"batches": "prefixes", "window": 4})
    config.model.update({"bidirectional": True, "tie": False})
    config.kneser_ney = 0
    task = tasks.make(config)
    data, padding = task.data("train"), task.vocabulary.size
    lines = [line.split() for line in corpus.split(text(0), 0.3)["train"].split("\n") if line]
    assert len(data.first) == sum(len(line) - 1 for line in lines)
    every = task.gather(data, jnp.arange(len(data.first)))
    read = [[task.vocabulary.symbols[i] for i in row if i < padding] for row in every["windows"]]
    following = [task.vocabulary.symbols[i] for i in every["following"]]
    want = [(line[max(0, i - 4) : i], line[i]) for line in lines for i in range(1, len(line))]
    assert list(zip(read, following, strict=True)) == want
    params = task.init(jax.random.key(0))
    other = jnp.asarray(data.tokens).at[data.following[7]].add(1)
    changed = task.gather(data._replace(tokens=other), jnp.array([7]))
    np.testing.assert_array_equal(changed["windows"][0], every["windows"][7])
    assert changed["following"][0] != every["following"][7]
    logits = task.model.apply(params, every["windows"])
    nats = -np.asarray(jax.nn.log_softmax(logits))[np.arange(len(following)), every["following"]]
    ids = task.vocabulary.encode("the cat\n\nsat\na dog ran")
    assert prefixes.prefixes(ids, task.vocabulary.encode("\n")[0]).following.tolist() == [1, 4, 5]
    assert nats.shape == (len(want),)
    (line,) = task.generate(params, "the cat", length=6)
    assert "\n" not in line and "\ufffd" not in line


def test_prefixes_of_a_text_without_lines_are_refused(config, tmp_path):
    (tmp_path / "line.txt").write_text("a b c " * 90)
    config.data.update({"batches": "prefixes", "path": str(tmp_path / "line.txt")})
    config.model.tie, config.kneser_ney = False, 0
    with pytest.raises(UserError, match="the training part is one line"):
        tasks.make(config).describe_data()


def test_a_run_of_words_trains_samples_and_starts_another(config, tmp_path, capsys):
    import train

    run, path = tmp_path / "run", config.data.path
    small = ["--config.batch_size=2", "--config.data.window=5", "--config.model.hidden=6"]
    small += ["--config.model.embed=6", "--config.steps=4", "--config.eval_every=2"]
    argv = ["train.py", f"--config={CONFIG}", f"--config.data.path={path}", *small]
    assert cli.run(train.main, [*argv, f"--run={run}"]) == 0
    result = json.loads((run / "result.json").read_text())["metrics"]
    assert {"valid_ppl", "valid_kneser_ney_ppl", "valid_bpc"} <= set(result)
    capsys.readouterr()
    assert cli.run(sample.main, ["sample", f"--run={run}", "--prompt=the cat", "--length=4"]) == 0
    assert capsys.readouterr().out.startswith("the cat")
    assert cli.run(sample.main, ["sample", f"--run={run}", "--prompt=zebras"]) == 2
    assert "1 word(s) that this model has not seen: 'zebras'" in capsys.readouterr().err
    assert cli.run(sample.main, ["sample", f"--run={run}", "--prompt=  "]) == 2
    assert "the prompt has no word" in capsys.readouterr().err
    further = [*argv, f"--config.start={run}", "--config.optimizer.learning_rate=0"]
    assert cli.run(train.main, [*further, f"--run={tmp_path / 'further'}"]) == 0
    before, after = (load.load(r).params for r in (run, tmp_path / "further"))
    jax.tree.map(np.testing.assert_array_equal, before, after)
    larger = [*further, "--config.model.hidden=7", f"--run={tmp_path / 'larger'}"]
    assert cli.run(train.main, larger) == 0  # tied: the last layer has the embedding's units
    larger = [*further, "--config.model.layers=2", f"--run={tmp_path / 'deeper'}"]
    assert cli.run(train.main, larger) == 2
    assert "a model of other sizes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data.vary": 2.0, "data.batches": "chunks"}, "only of --config.data.batches=lanes"),
        ({"model.cutoffs": (5, 5)}, "must rise, such as"),
        ({"model.cutoffs": (5, 9)}, "not with --config.model.tie"),
        ({"data.most": 1}, "--config.data.most=1: must be at least 2"),
        ({"model.bidirectional": True}, "it would see what it is to predict"),
        ({"data.together": True, "data.path": ""}, "--config.data.together: "),
        ({"data.batches": "prefixes"}, "--config.model.tie: not with"),
        ({"data.corpora": ("docs_types", "docs_classes")}, "several corpora are read in chunks"),
        ({"data.batches": "chunks", "data.path": "", "data.corpora": ("docs",) * 2}, "more than once"),
    ],
)  # fmt: skip
def test_mistakes_are_told(config, settings, said):
    config.update_from_flattened_dict(settings)
    with pytest.raises(UserError, match=said):
        tasks.make(config).describe_data()


def test_a_text_without_blanks_is_one_word_and_another_script_is_read(config, tmp_path):
    (tmp_path / "huge.txt").write_text("x" * 5000)
    config.data.path = str(tmp_path / "huge.txt")
    with pytest.raises(UserError, match=r"1 word.* in 3500 characters, .*symbols=characters"):
        tasks.make(config).describe_data()
    (tmp_path / "right.txt").write_text("שלום עולם. מה שלומך?\n" * 40, encoding="utf-8")
    config.data.path = str(tmp_path / "right.txt")
    task = tasks.make(config)
    assert task.describe_data()["vocabulary"] == 8
    assert "שלום" in task.vocabulary.symbols
