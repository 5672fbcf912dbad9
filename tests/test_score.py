"""zoo.score: probabilities of texts, by line or whole; parameters that follow the text."""

import io
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import train
import zoo
from zoo import cli, sample, score
from zoo.data.errors import DataError
from zoo.data.text import line_parts
from zoo.errors import UserError
from zoo.models.stack import read_in
from zoo.runs import folder
from zoo.runs.load import load
from zoo.tasks import adaptive_kneser_ney, kneser_ney
from zoo.tasks.language_model import beside, dynamic, evaluation, mixture, scoring, shades
from zoo.tasks.language_model.score import Part
from zoo.tasks.language_model.score import score as parts

ROOT = Path(__file__).parent.parent
TINY = (
    "model.hidden=8",
    "model.embed=4",
    "batch_size=4",
    "data.window=8",
    "steps=8",
    "eval_every=4",
)
TEXT = "the cat sat\n\nsat on the mat, the ünknown ☃ mat\non"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished tiny run."""
    at = tmp_path_factory.mktemp("score")
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat ", "on ", "mat,\n"], 400)
    (at / "text.txt").write_text("".join(words), encoding="utf-8")
    keys = (*TINY, f"data.path={at / 'text.txt'}")
    argv = ["train.py", f"--config={ROOT / 'configs/char_lm.py'}", f"--run={at / 'run'}"]
    assert cli.run(train.main, [*argv, *(f"--config.{key}" for key in keys)]) == 0
    return at / "run"


def rows(capsys, run, text, *more, code=0):
    file = run.parent / "input.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    capsys.readouterr()
    assert cli.run(score.main, ["score", f"--run={run}", f"--input={file}", *more]) == code
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()] if not code else err


def nats(run, text):
    """Minus the log-probability of each symbol of a text, which stands after a line break."""
    model, params, task = load(run)
    ids = task.vocabulary.encode("\n" + text)
    _, logits = model.apply(params, jnp.asarray(ids[None, :-1]))
    log_p = jax.nn.log_softmax(logits[0])
    return -np.asarray(log_p)[np.arange(len(ids) - 1), ids[1:]]


def test_lines_know_nothing_of_each_other_and_their_breaks_are_not_counted(capsys, run):
    found = rows(capsys, run, TEXT)
    for i, (row, line) in enumerate(zip(found, TEXT.split("\n"), strict=True), 1):
        want = float(nats(run, line).sum()) if line else 0
        assert (row["line"], row["tokens"], row["characters"]) == (i, len(line), len(line))
        assert row["nats"] == pytest.approx(want, rel=1e-5)
        if line:
            assert row["nats_per_token"] == pytest.approx(want / len(line), rel=1e-5)
            bits = want / len(line) / math.log(2)
            assert row["bits_per_character"] == pytest.approx(bits, rel=1e-5)
        else:
            assert row["nats_per_token"] is row["bits_per_character"] is None
    assert [row["unknown"] for row in found] == [0, 0, 4, 0]  # k and w too


def test_a_whole_text_is_read_with_its_state_and_its_line_breaks(capsys, run):
    (row,) = rows(capsys, run, TEXT, "--whole")
    assert row["tokens"] == len(TEXT)
    assert row["nats"] == pytest.approx(float(nats(run, TEXT).sum()), rel=1e-5)
    (ended,) = rows(capsys, run, TEXT + "\n", "--whole")
    assert ended["tokens"] == len(TEXT) + 1


def test_long_lines_are_read_in_parts_to_the_same_sums(capsys, run, monkeypatch):
    text = "the cat sat on the mat, " * 40 + "\nthe mat\n" + "sat on " * 50
    want = rows(capsys, run, text), rows(capsys, run, text, "--whole")
    monkeypatch.setattr(line_parts, "_BYTES", 7)
    monkeypatch.setattr("zoo.tasks.language_model.score.LONG", 30)
    monkeypatch.setattr(scoring, "_ALONE", 11)
    got = rows(capsys, run, text), rows(capsys, run, text, "--whole")
    for a, b in zip(want, got, strict=True):
        for one, other in zip(a, b, strict=True):
            assert one == pytest.approx(other, rel=1e-5)


def test_products_in_bfloat16_change_means_little_and_of_the_params_the_layers_alone(capsys, run):
    exact, half = (rows(capsys, run, TEXT, f"--precision={p}") for p in ("float32", "bfloat16"))
    pairs = [(a["nats"], b["nats"]) for a, b in zip(exact, half, strict=True) if a["tokens"]]
    np.testing.assert_allclose(*zip(*pairs, strict=True), rtol=0.01)
    assert exact != half
    params = read_in(jnp.bfloat16, load(run)[1])["params"]
    matrices = jax.tree.leaves_with_path(params)
    assert {a.dtype.name for path, a in matrices if "layer" not in str(path)} == {"float32"}
    assert params["layer_0"].w_h.dtype == "bfloat16" and params["layer_0"].b.dtype == "float32"


def test_each_symbol_has_its_probability(capsys, run):
    *tokens, last = rows(capsys, run, "the ☃", "--per_token")
    assert [row["token"] for row in tokens] == ["t", "h", "e", " ", "\ufffd"]
    assert [row.get("unknown", False) for row in tokens] == [False] * 4 + [True]
    for row in tokens:
        assert row["probability"] == pytest.approx(math.exp(-row["nats"]))
    assert sum(row["nats"] for row in tokens) == pytest.approx(last["nats"], rel=1e-6)


def test_parameters_that_do_not_move_are_those_of_training(capsys, run):
    more = ["--dynamic", "--dynamic_rate=0", "--dynamic_segment=5"]
    for whole in ([], ["--whole"]):
        for row in rows(capsys, run, TEXT, *more, *whole):
            assert row["dynamic_nats"] == pytest.approx(row["nats"], rel=1e-5)
            assert (row["adaptive_kneser_ney_nats"] > 0) == (row["tokens"] > 0)


def test_parameters_follow_the_text_by_the_papers_rule(run):
    model, params, task = load(run)
    ids, train = task.vocabulary.encode("the mat, the"), task.training_ids()[:401]
    settings = dynamic.Settings(rate=0.02, decay=0.3, segment=5, damping=0.2)

    def loss(p, carry, x, y):
        carry, nats = model.apply(p, x[None], y[None], carry, method="nats")
        return nats.mean(), (carry, nats[0])

    follow = jax.jit(jax.value_and_grad(loss, has_aux=True))
    steps = min(256, 400 // 20)
    total = jax.tree.map(jnp.zeros_like, params)
    for at in np.linspace(0, 400 - 5 * steps, 4).astype(int):
        carry = model.carry(1)
        for i in range(steps):
            x = train[at + 5 * i : at + 5 * i + 6]
            (_, (carry, _)), g = follow(params, carry, x[:-1], x[1:])
            total = jax.tree.map(lambda t, g: t + g**2 / (4 * steps), total, g)
    s = jax.tree.map(jnp.sqrt, total)
    mean = float(np.mean(np.concatenate([np.ravel(a) for a in jax.tree.leaves(s)])))
    p, carry, want = params, model.carry(1), []
    inputs = np.append(task.vocabulary.encode("\n"), ids[:-1])
    for at in range(0, len(ids), 5):
        x, y = inputs[at : at + 5], ids[at : at + 5]
        (_, (carry, nats)), g = follow(p, carry, x, y)
        want.append(nats)
        share = len(x) / 5

        def moved(p, p0, g, s, share=share):
            back = jnp.minimum(0.3 * s / mean, 1)
            return p - share * 0.02 * g / (s + 0.2 * mean) + share * back * (p0 - p)

        p = jax.tree.map(moved, p, params, g, s)
    reader = dynamic.Reader(model, params, int(inputs[0]), train, settings)
    got = np.concatenate([reader.follow(ids[:5], True), reader.follow(ids[5:], False)])
    np.testing.assert_allclose(got, np.concatenate(want), rtol=2e-4)


def test_what_comes_again_surprises_less(capsys, run):
    (row,) = rows(capsys, run, "mat mat cat the the, " * 60, "--whole", "--dynamic")
    assert row["dynamic_nats"] < 0.95 * row["nats"]


@pytest.mark.parametrize("order", [-1, 2])
def test_a_mixture_is_the_mean_of_two_probabilities(run, order):
    result = json.loads((run / "result.json").read_text())
    share = result["metrics"]["valid_mixed_share"]
    assert 0 < share < 1
    _, params, task = load(run)
    ids, size = task.training_ids(), task.vocabulary.size
    task.config.unlock()
    task.config.kneser_ney = order
    pieces = line_parts.pieces(io.BytesIO(b"the cat\nsat on"), "text")
    found = list(parts(task, params, pieces, mixed=task.mixed(run, folder.read_result(run))))
    assert [len(part.ids) for part in found] == [7, 6]
    counted = kneser_ney.fit(ids, 10 if order == -1 else order, size)
    for part, line in zip(found, ("\nthe cat", "\nsat on"), strict=True):
        text = task.vocabulary.encode(line)
        wanted = -kneser_ney.log_p(counted, text[:1], text[1:])
        np.testing.assert_allclose(part.nats["kneser_ney"], wanted, atol=1e-6)
        mean = (1 - share) * np.exp(-part.nats[""]) + share * np.exp(-wanted)
        np.testing.assert_allclose(np.exp(-part.nats["mixed"]), mean, rtol=1e-5)


def test_what_is_drawn_together_follows_the_mean_of_both(run):
    model, params, task = load(run)
    mixed = task.mixed(run, folder.read_result(run))
    options = {"length": 70, "temperature": 0.0, "mixed": mixed}
    (text,) = task.generate(params, "the c", **options)
    ids = task.vocabulary.encode("the c" + text)
    logits = model.apply(params, ids[None], model.carry(1))[1][0]
    counting = kneser_ney.Reader(mixed.counted, 1)
    for at, symbol in enumerate(ids):
        if at >= 5:
            p = (1 - mixed.share) * np.asarray(jax.nn.softmax(logits[at - 1]))
            p += mixed.share * counting.probabilities()[0]
            p[list(task.vocabulary.unknown_ids)] = 0
            assert p[symbol] > 0.99 * p.max()
        counting.read(ids[at : at + 1])

    options = {"length": 70, "seed": 3, "mixed": mixed}
    three = task.generate(params, "the c", num=3, **options)
    assert task.generate(params, "the c", **options) == three[:1]
    assert "".join(task.stream(params, "the c", **options)) == three[0]
    assert len(set(three)) == 3
    alone = {"length": 70, "seed": 3}
    assert task.generate(params, **alone, mixed=mixed._replace(share=0.0)) == task.generate(
        params, **alone
    )


def test_a_member_of_a_bank_has_its_own_share(tmp_path):
    found = {"metrics": {"valid_mixed_share": [0.2, 0.4]}}
    assert mixture.share_of(tmp_path, found, ("a", "b"), "b") == 0.4
    del found["metrics"]["valid_mixed_share"]
    with pytest.raises(UserError, match="has no share of a Kneser-Ney model; train with"):
        mixture.share_of(tmp_path, found)


def test_a_text_of_both_goes_through_the_command_and_python(capsys, run):
    argv = ["sample", f"--run={run}", "--length=40", "--prompt=the", "--mixed", "--seed=2"]
    capsys.readouterr()
    assert cli.run(sample.main, argv) == 0
    out = capsys.readouterr().out
    assert out == "the" + zoo.load(run).generate("the", length=40, seed=2, mixed=True) + "\n"


def test_each_way_of_mixing_has_its_row(capsys, run):
    found = rows(capsys, run, "the cat", "--mixed", "--per_token")
    for key in ("probability", "kneser_ney_probability", "mixed_probability"):
        assert all(0 < row[key] < 1 for row in found[:-1])


@pytest.mark.parametrize("order", [-1, 2])
def test_counting_alone_and_that_which_adapts_and_is_mixed_have_orders_of_their_own(run, order):
    model, params, task = load(run)
    tokens, size = task._tokens[0], task.vocabulary.size
    task.config.unlock()
    task.config.update({"kneser_ney": order, "mix": True, "dynamic": True})
    found = beside.losses(model, params, tokens, "valid", task.config, size)
    past, best = tokens["train"][-257:], kneser_ney.best_order(tokens["train"], size)
    assert best not in (2, 10)
    alone, mixed, adapted = (
        kneser_ney.fit(tokens["train"], n, size)
        for n in ((best, 10, best) if order == -1 else (2, 2, best))
    )
    nats = -kneser_ney.log_p(alone, past, tokens["valid"])
    assert found["kneser_ney"] == pytest.approx(nats.mean())
    own = evaluation.nats(model, params, tokens, "valid")
    mean, share = mixture.loss(own, -kneser_ney.log_p(mixed, past, tokens["valid"]))
    assert (found["mixed"], found["mixed_share"]) == (pytest.approx(mean), pytest.approx(share))
    following = -adaptive_kneser_ney.Reader(adapted, past).log_p(tokens["valid"])
    assert found["adaptive_kneser_ney"] == pytest.approx(following.mean())


def test_a_picture_is_shaded(capsys, run, tmp_path):
    rows(capsys, run, TEXT, f"--picture={tmp_path}/new/surprise.png")
    assert (tmp_path / "new/surprise.png").stat().st_size > 5000
    symbols = shades.symbols(
        load(run).task.vocabulary, Part(1, np.array([1, 2]), 2, True, True, {"": [1, 2]}), 0
    )
    lights = [sum(shades.ground(nats)[:3]) for nats in (0, 1, 3, 5, 6, 7, 30)]
    assert (
        lights == sorted(lights, reverse=True) and lights[0] > 2.8 and lights[4] == lights[-1] < 1
    )
    assert len(symbols) == 3 and symbols[-1] == ("\n", 0.0)


def test_mistakes_are_told_in_one_line(capsys, run, tmp_path):
    def error(*more, text="the cat", at=run):
        err = rows(capsys, at, text, *more, code=2)
        assert err.startswith("error: ") and err.count("\n") == 1, err
        return err

    assert "binary (0x00 at byte 3)" in error(text=b"the\0cat")
    assert "not UTF-8 (0xe9 at byte 5)" in error(text=b"\xc3\xa9 a \xe9 b")
    assert "goes with --dynamic" in error("--dynamic_rate=0.1")
    assert "--dynamic_segment=0: must be at least 1" in error("--dynamic", "--dynamic_segment=0")
    assert "--dynamic_rate=nan" in error("--dynamic", "--dynamic_rate=nan")
    assert "one model alone" in error("--member=alice")
    assert "no symbol to show" in error(f"--picture={tmp_path}/a.png", text=b"\n")
    assert "cannot be written" in error("--picture=/proc/a.png")
    assert cli.run(score.main, ["score", f"--run={run}", "--input=missing.txt"]) == 2
    assert "--input=missing.txt: No such file" in capsys.readouterr().err
    assert cli.run(score.main, ["score"]) == 2


def test_a_stream_is_cut_anywhere_to_the_same_lines(monkeypatch):
    content = "\ufeffaé☃\r\nb\rc\n\nlast".encode()
    for size in (1, 2, 3, 5, 100):
        monkeypatch.setattr(line_parts, "_BYTES", size)
        parts = list(line_parts.pieces(io.BufferedReader(io.BytesIO(content)), "it"))
        lines = [p.text for p in line_parts.whole_lines(parts)]
        assert lines == ["aé☃", "b", "c", "", "last"]
        assert (
            [p.line for p in parts if p.first]
            == [p.line for p in parts if p.last]
            == [1, 2, 3, 4, 5]
        )
        assert [p.ended for p in parts if p.last] == [True] * 4 + [False]
    with pytest.raises(DataError, match="0xe2 at byte 1"):
        list(line_parts.pieces(io.BufferedReader(io.BytesIO(b"a\xe2\x98")), "it"))
