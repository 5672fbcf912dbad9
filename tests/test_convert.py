"""zoo.convert: parameters in the layouts of other libraries, held against those libraries where they are
installed, and the way back."""

import json
import os
import re
from functools import partial
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import train
import zoo
from zoo import cli, convert, sample, score
from zoo.cells import CELLS
from zoo.errors import UserError
from zoo.models import layouts
from zoo.models.classifier import Classifier
from zoo.models.ensemble import Ensemble
from zoo.models.forecaster import Forecaster
from zoo.models.language_model import LanguageModel
from zoo.models.window_model import WindowModel
from zoo.runs import folder
from zoo.unroll import unroll

ROOT = Path(__file__).parent.parent
D, H, B, T = 3, 4, 2, 6
XS = jax.random.normal(jax.random.key(7), (T, B, D))


def cell(name):
    """A cell, its parameters without a zero among them, and what it puts out."""
    made = CELLS[name]()
    params = drawn(jax.eval_shape(lambda: made.init(jax.random.key(0), D, H)))
    return params, np.asarray(unroll(made, params, XS)[1])


def drawn(like):
    """Random numbers in the tree and shapes of ``like``."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: rng.normal(0, 0.5, a.shape).astype(a.dtype), like)


def layer(name, library):
    """(the layer's arrays by the library's names, what our cell puts out)."""
    params, ys = cell(name)
    return layouts.named({"params": {"layer_0": params}}, library), ys


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_a_layer_in_pytorch(name):
    torch = pytest.importorskip("torch")
    arrays, ys = layer(name, "torch")
    made = getattr(torch.nn, name.upper())(D, H)
    state = {key.removeprefix("rnn."): torch.from_numpy(a) for key, a in arrays.items()}
    made.load_state_dict(state)
    with torch.no_grad():
        theirs = made(torch.tensor(np.asarray(XS)))[0].numpy()
    np.testing.assert_allclose(theirs, ys, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "theirs"), [("lstm", "LSTM"), ("gru", "GRU"), ("rnn", "SimpleRNN")]
)
def test_a_layer_in_keras(name, theirs, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    arrays, ys = layer(name, "keras")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        made = getattr(keras.layers, theirs)(H, return_sequences=True)
        made.build((B, T, D))
        made.set_weights([arrays[f"layer_0/{w}"] for w in ("kernel", "recurrent_kernel", "bias")])
        out = made(np.asarray(XS.swapaxes(0, 1)))
    np.testing.assert_allclose(np.asarray(out).swapaxes(0, 1), ys, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("lstm", nn.OptimizedLSTMCell), ("lstm", nn.LSTMCell), ("gru", nn.GRUCell), ("rnn", nn.SimpleCell)],
)  # fmt: skip
def test_a_layer_in_flax(name, theirs):
    arrays, ys = layer(name, "flax")
    params = {}
    for key, a in arrays.items():
        _, dense, leaf = key.split("/")
        params.setdefault(dense, {})[leaf] = a
    with jax.numpy_rank_promotion("allow"):
        made = nn.RNN(theirs(H), time_major=True)
        out = made.apply({"params": {"cell": params}}, XS)
    np.testing.assert_allclose(out, ys, rtol=1e-5, atol=1e-6)


def test_a_layer_in_haiku():
    hk = pytest.importorskip("haiku")
    arrays, ys = layer("lstm", "haiku")
    params = {}
    for key, a in arrays.items():
        module, _, leaf = key.rpartition("/")
        params.setdefault(module, {})[leaf] = a

    def model(xs):
        core = hk.LSTM(H, name="layer_0")
        return hk.dynamic_unroll(core, xs, core.initial_state(B))[0]

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        out = hk.without_apply_rng(hk.transform(model)).apply(params, XS)
    np.testing.assert_allclose(out, ys, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "library", "message"),
    [
        ("gru", "haiku", "haiku has no GRU that computes as ours does; it has LSTM"),
        ("rnn", "haiku", "haiku has no RNN .* it has LSTM"),
        ("slstm", "torch", "torch has no SLSTM .* it has LSTM, GRU, RNN"),
        ("multiplicative_lstm", "keras", "keras has no Multiplicative .* it has LSTM, GRU, RNN"),
        ("minlstm", "flax", "flax has no MinLSTM .* it has LSTM, GRU, RNN"),
    ],
)
def test_a_layer_that_a_library_has_none_of_is_refused(name, library, message):
    with pytest.raises(UserError, match=message):
        layer(name, library)


TOKENS, LENGTHS = jnp.zeros((B, T), jnp.int32), jnp.full((B,), T)
ONE = LanguageModel(vocab=7, embed=5, hidden=4, layers=2)
SERIES = Forecaster(horizon=2, length=4, patch=2, hidden=4, linear=True)
MODELS = {
    "language model": (ONE, (TOKENS,)),
    "GRU": (ONE.clone(cell="gru"), (TOKENS,)),
    "RNN": (ONE.clone(cell="rnn"), (TOKENS,)),
    "one-hot": (ONE.clone(embed=0), (TOKENS,)),
    "tied": (ONE.clone(tie=True), (TOKENS,)),
    "classes": (ONE.clone(classes=3, class_embed=2), (TOKENS, None, jnp.zeros((B,), jnp.int32))),
    "adaptive": (ONE.clone(cutoffs=(2, 4)), (TOKENS,)),
    "ensemble": (Ensemble(ONE, 2), (TOKENS,)),
    "windows": (WindowModel(vocab=7, embed=0, hidden=4, layers=2, bidirectional=True), (TOKENS,)),
    "classifier": (Classifier(vocab=7, classes=3, embed=5, hidden=4, pool="attention"), (TOKENS, LENGTHS)),
    "forecaster": (SERIES, (jnp.zeros((B, 4)), jnp.zeros((B, 6, 0)), jnp.zeros((B,), jnp.int32))),
}  # fmt: skip


@pytest.mark.parametrize("library", layouts.LIBRARIES)
@pytest.mark.parametrize("name", MODELS)
def test_there_and_back(name, library):
    if library == "haiku" and name in ("GRU", "RNN"):
        return
    model, inputs = MODELS[name]
    params = drawn(jax.eval_shape(partial(model.init, jax.random.key(0)), *inputs))
    arrays = layouts.named(params, library)
    assert sum(a.size for a in jax.tree.leaves(params)) <= sum(a.size for a in arrays.values())
    back = layouts.params_of(arrays, params, library)
    assert jax.tree.structure(back) == jax.tree.structure(params)
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        assert a.dtype == b.dtype
        # Haiku's forget gate adds 1: the bias is rounded on the way.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-7 if library == "haiku" else 0)


def test_several_modules_stand_behind_their_names():
    both = {"one": _params("tied"), "other": _params("classifier")}
    arrays = layouts.named(both, "keras")
    assert {"one/embedding/embeddings", "other/backward_0/bias"} <= set(arrays)
    back = layouts.params_of(arrays, both, "keras")
    assert jax.tree.structure(back) == jax.tree.structure(both)
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(both), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_command_knows_every_library():
    assert list(layouts.LIBRARIES) == convert._LIBRARIES


def test_the_names_of_several_layers_in_pytorch():
    names = {name: list(layouts.named(_params(name), "torch")) for name in ("windows", "tied")}
    assert {"rnn.weight_ih_l0", "rnn.bias_hh_l1_reverse"} <= set(names["windows"])
    assert {"rnn.0.weight_ih_l0", "rnn.1.weight_hh_l0"} <= set(names["tied"])
    assert "output.weight" not in names["tied"]


def _params(name):
    model, inputs = MODELS[name]
    return drawn(jax.eval_shape(partial(model.init, jax.random.key(0)), *inputs))


def test_both_biases_of_pytorch_are_read():
    params = _params("GRU")
    arrays = layouts.named(params, "torch")
    moved = dict(arrays)
    for i in range(2):  # of r and z it does not matter which of the two holds what
        shift = np.concatenate([np.full(2 * 4, 0.25), np.zeros(4)]).astype(np.float32)
        moved[f"rnn.bias_ih_l{i}"] = arrays[f"rnn.bias_ih_l{i}"] - shift
        moved[f"rnn.bias_hh_l{i}"] = arrays[f"rnn.bias_hh_l{i}"] + shift
    back = layouts.params_of(moved, params, "torch")
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished tiny run."""
    place = tmp_path_factory.mktemp("runs")
    (place / "text.txt").write_text("the cat sat on the mat.\n" * 60, encoding="utf-8")
    os.chdir(ROOT)
    keys = ["model.hidden=8", "model.embed=4", "model.layers=2", "batch_size=4", "data.window=8"]
    keys += [
        "steps=8",
        "eval_every=4",
        "kneser_ney=0",
        "mix=False",
        f"data.path={place / 'text.txt'}",
    ]
    argv = [
        "--config=configs/char_lm.py",
        *(f"--config.{k}" for k in keys),
        f"--run={place / 'run'}",
    ]
    assert cli.run(train.main, ["train.py", *argv]) == 0
    return place / "run"


def call(*argv):
    return cli.run(convert.main, ["convert", *map(str, argv)])


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/libraries.md").read_text(), re.DOTALL)


@pytest.mark.parametrize(
    ("library", "code"),
    [(name, code) for name, code in zip(layouts.LIBRARIES, EXAMPLES, strict=True)],
)
def test_a_whole_model_as_the_examples_have_it(library, code, run, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip(library)
    file = tmp_path / "char_lm.npz"
    assert call(f"--run={run}", f"--to={library}", f"--out={file}") == 0
    out, err = capsys.readouterr()
    assert ("rnn.weight_ih_l1  (32, 8)\n" in out) == (library == "torch") and "arrays" in err
    monkeypatch.chdir(tmp_path)
    names = {}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(code, names)
    logits = names["logits"]
    logits = logits.detach().numpy() if library == "torch" else np.asarray(logits)
    model, params = zoo.load(run)
    ours = model.apply(params, jnp.array([[3, 1, 2]]))[1]
    np.testing.assert_allclose(logits, ours, rtol=1e-4, atol=1e-5)
    if library == "torch":
        again = [f"--run={run}", "--from=torch", "--input=tuned.npz", f"--out={tmp_path / 'new'}"]
        assert call(*again) == 0
        same = folder.used_sha256(folder.read_result(run))
        assert folder.read_result(tmp_path / "new")["params_sha256"] == same


@pytest.fixture
def moved(run, tmp_path):
    """A file of Keras's arrays, changed since they were written."""
    file = tmp_path / "model.npz"
    assert call(f"--run={run}", "--to=keras", f"--out={file}") == 0
    with np.load(file) as content:
        arrays = dict(content)
    arrays["output/bias"] += 0.5 * np.arange(len(arrays["output/bias"]), dtype=np.float32)
    np.savez(file, **arrays)
    return file


def test_what_comes_back_is_used_as_any_run(run, moved, tmp_path, capsys, at_the_root):
    new, further = tmp_path / "new", tmp_path / "further"
    assert call(f"--run={run}", "--from=keras", f"--input={moved}", f"--out={new}") == 0
    assert f"{new}: a run with the parameters of {moved}" in capsys.readouterr().out
    record = json.loads((new / "result.json").read_text())
    assert record["converted"] == {"from": "keras", "file": "model.npz"} and record["metrics"] == {}
    assert record["params"] == folder.read_result(run)["params"]
    text = ["--length=40", "--prompt=the ", "--temperature=1"]
    assert cli.run(sample.main, ["sample", f"--run={new}", *text]) == 0
    (tmp_path / "line.txt").write_text("the cat\n")
    assert cli.run(score.main, ["score", f"--run={new}", f"--input={tmp_path / 'line.txt'}"]) == 0
    capsys.readouterr()
    same = ["train.py", "--config=configs/char_lm.py", "--mode=eval"]
    losses = []
    for one in (run, new):
        assert cli.run(train.main, [*same, f"--run={one}"]) == 0
        losses.append(json.loads(capsys.readouterr().out)["valid_loss"])
    assert losses[0] < losses[1]
    keys = [f"--config.{k}" for k in folder_keys(run)]
    longer = ["train.py", "--config=configs/char_lm.py", *keys, "--config.steps=12", f"--run={new}"]
    assert cli.run(train.main, longer) == 2
    assert "its parameters come from keras; to train them further" in capsys.readouterr().err
    assert folder.read_result(new)
    argv = [
        "train.py",
        "--config=configs/char_lm.py",
        *keys,
        f"--config.start={new}",
        f"--run={further}",
    ]
    assert cli.run(train.main, argv) == 0


def folder_keys(run):
    config = folder.read_config(run)
    keys = [
        "model.hidden",
        "model.embed",
        "model.layers",
        "batch_size",
        "data.window",
        "steps",
        "eval_every",
    ]
    keys += ["kneser_ney", "mix", "data.path"]
    flat = json.loads((run / "config.json").read_text())
    assert config.steps == flat["steps"]
    return [f"{key}={_at(flat, key)}" for key in keys]


def _at(record, key):
    for name in key.split("."):
        record = record[name]
    return record


def test_a_bank_comes_back(tmp_path, monkeypatch):
    params = _params("language model")
    bank = jax.tree.map(lambda a: np.stack([a, 2 * a]), params)
    arrays = convert._named(bank, 2, "torch")
    assert "members_1.rnn.weight_ih_l0" in arrays
    back = convert._params_of(arrays, bank, 2, "torch")
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(bank), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--run is missing"),
        (["--run=RUN"], "give one of --to and --from"),
        (["--run=RUN", "--to=torch", "--from=torch"], "give one of --to and --from"),
        (["--run=RUN", "--to=onnx"], "--to=onnx: must be one of torch, keras, flax, haiku"),
        (["--run=RUN", "--to=torch"], "--out is missing: a file"),
        (["--run=RUN", "--to=torch", "--out=x.pt"], "--out=x.pt: must end with .npz"),
        (["--run=RUN", "--to=torch", "--out=/nowhere/x.npz"], "'/nowhere/x.npz' cannot be written"),
        (["--run=RUN", "--to=torch", "--input=FILE", "--out=x.npz"], "goes with --from"),
        (["--run=RUN", "--from=keras", "--out=NEW"], "--input is missing"),
        (["--run=RUN", "--from=keras", "--input=FILE"], "--out is missing: the folder of a new run"),
        (["--run=RUN", "--from=keras", "--input=FILE", "--out=RUN"], "is there already; give a new folder"),
        (["--run=RUN", "--from=keras", "--input=/nowhere.npz", "--out=NEW"], "No such file"),
        (["--run=RUN", "--from=keras", "--input=TEXT", "--out=NEW"], "is no .npz file"),
        (["--run=RUN", "--from=torch", "--input=FILE", "--out=NEW"], "lacks embedding.weight, ("),
        (["--run=RUN", "--from=keras", "--input=SHAPE", "--out=NEW"], "output/bias is (3); the model's"),
        (["--run=RUN", "--from=keras", "--input=MORE", "--out=NEW"], "has stray, which the model has not"),
        (["--run=RUN", "--from=keras", "--input=NAN", "--out=NEW"], "output/bias has numbers that are not"),
        (["--run=RUN", "--from=keras", "--input=INTS", "--out=NEW"], "output/bias is of int64"),
        (["--run=/nowhere", "--to=torch", "--out=x.npz"], "--run=/nowhere: no such folder"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(run, moved, tmp_path, capsys, flags, message):
    with np.load(moved) as content:
        arrays = dict(content)
    bias = arrays["output/bias"]
    other = {
        "SHAPE": {"output/bias": bias[:3]},
        "MORE": {"stray": bias},
        "NAN": {"output/bias": bias * np.nan},
        "INTS": {"output/bias": bias.astype(np.int64)},
    }
    for name, change in other.items():
        np.savez(tmp_path / f"{name}.npz", **arrays | change)
    (tmp_path / "TEXT.npz").write_text("no numbers")
    places = {name: tmp_path / f"{name}.npz" for name in (*other, "TEXT")}
    places |= {"RUN": run, "FILE": moved, "NEW": tmp_path / "new"}
    before = sorted(tmp_path.iterdir())
    given = [_placed(flag, places) for flag in flags]
    capsys.readouterr()
    assert call(*given) == 2
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and out == ""
    assert sorted(tmp_path.iterdir()) == before


def _placed(flag, places):
    name, _, value = flag.partition("=")
    return f"{name}={places.get(value, value)}"
