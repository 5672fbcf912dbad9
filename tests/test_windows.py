"""Source 002's recipe: every window of a text, numbers in place of an embedding, the best training loss."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

import train
from zoo import cli, compare, sample, tasks
from zoo import config as configs
from zoo.bench import windows as bench
from zoo.bench.trainings import ours, workload
from zoo.cells import LSTMParams
from zoo.runs.load import load

ROOT = Path(__file__).parent.parent
CONFIG = str(ROOT / "configs/window_lm.py")
TEXT = "the Cat sat on the mat.\nA dog ran to the cat, and sat!\n"  # 55 characters
SYMBOLS = len(set(TEXT.lower()))
TINY = ["--config.model.hidden=6", "--config.data.window=7", "--config.batch_size=20"]


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


def read(file):
    return file.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def config(file):
    c = configs.load(CONFIG)
    c.data.path, c.data.window, c.batch_size, c.model.hidden = str(file), 7, 20, 6
    c.model.dropout_out = 0.0
    return c


def forward(params, xs):
    """Outputs (T, B, H) of the LSTM in NumPy, of xs (T, B, D)."""
    layer = LSTMParams(*(np.asarray(a, np.float64) for a in params["layer_0"]))
    zeros = np.zeros((xs.shape[1], 6)), np.zeros((xs.shape[1], 6))
    return reference.unroll(reference.lstm, layer, xs, zeros)[1]


def nats(params, hs, targets):
    """-log softmax of hs (..., H) at targets (...)."""
    logits = hs @ np.asarray(params["kernel"], np.float64) + np.asarray(params["bias"])
    chosen = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return np.log(np.exp(logits).sum(-1)) - chosen


def numbers():
    """The text as source 002 makes integers of it."""
    symbols = sorted(set(TEXT.lower()))
    return np.array([symbols.index(c) for c in TEXT.lower()]), len(symbols)


def batches(task, epoch=0):
    data, order = task.data("train"), task.order("train", epoch)
    for i in range(task.steps_per_epoch("train")):
        yield task.gather(data, task.indices(order, i, 0))


def test_an_epoch_reads_every_window_once_and_its_last_batch_is_short(config):
    task, (ids, V) = tasks.make(config), numbers()
    assert task.model.vocab == V and task.describe_data()["windows"] == {"train": len(ids) - 7}
    every = {tuple(ids[i : i + 8]) for i in range(len(ids) - 7)}
    seen = [(b["tokens"][b["weights"] > 0], b["weights"].sum()) for b in batches(task)]
    assert [int(n) for _, n in seen] == [20, 20, len(ids) - 7 - 40]
    rows = [tuple(row) for tokens, _ in seen for row in np.asarray(tokens).tolist()]
    assert len(rows) == len(ids) - 7 and set(rows) == every
    again = np.concatenate([b["tokens"] for b in batches(task, 1)])
    assert not np.array_equal(again, np.concatenate([b["tokens"] for b in batches(task)]))


@pytest.mark.parametrize("targets", ["last", "all"])
def test_the_loss_is_that_of_the_source(config, targets):
    config.data.targets = targets
    task, (_, V) = tasks.make(config), numbers()
    params = task.init(jax.random.key(0))
    for batch in batches(task):
        sums, carry = task.loss(params, (), batch, jax.random.key(1))
        tokens = np.asarray(batch["tokens"])[np.asarray(batch["weights"]) > 0]
        hs = forward(params["params"], tokens[:, :-1].T[..., None] / V)
        each = nats(params["params"], hs, tokens[:, 1:].T)
        want = each if targets == "all" else each[-1]
        assert carry == () and float(sums["loss"].weight) == want.size
        np.testing.assert_allclose(sums["loss"].total, want.sum(), rtol=1e-5)


def test_a_part_that_is_held_out_is_judged_by_the_windows_that_lead_up_to_it(config):
    config.data.valid, config.best.metric = 0.2, "valid_loss"
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    ids = task.vocabulary.encode(TEXT.lower())
    count = len(TEXT) - int(len(TEXT) * 0.8)
    rows = np.stack([ids[i - 7 : i + 1] for i in range(len(ids) - count, len(ids))])
    V = task.vocabulary.size  # here the unknown symbol is one of them
    hs = forward(params["params"], rows[:, :-1].T[..., None] / V)
    want = nats(params["params"], hs[-1], rows[:, -1]).mean()
    assert task.model.vocab == V
    assert task.evaluate(params, "valid").metrics["valid_loss"] == pytest.approx(want, rel=1e-5)
    assert task.evaluate(params, "train").metrics == {}


def test_initial_values_are_those_of_keras(config):
    layer = tasks.make(config).init(jax.random.key(0))["params"]["layer_0"]
    H = 6
    np.testing.assert_allclose(layer.w_h @ layer.w_h.T, np.eye(H), atol=1e-5)
    assert np.abs(layer.w_x).max() <= np.sqrt(6 / (1 + 4 * H))
    np.testing.assert_array_equal(layer.b, np.repeat([0.0, 1.0, 0.0, 0.0], H))


def test_a_run_keeps_the_best_training_loss_and_writes_on_from_a_window(tmp_path, file, capsys):
    run = tmp_path / "run"
    fast = ["--config.optimizer.learning_rate=0.3", "--config.epochs=4"]  # too fast: it gets worse
    flags = [f"--config={CONFIG}", f"--config.data.path={file}", *TINY, *fast, f"--run={run}"]
    assert cli.run(train.main, ["train.py", *flags]) == 0
    losses = [json.loads(line)["train_loss"] for line in read(run / "metrics.jsonl")]
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    assert len(losses) == 4 and metrics["train_loss"] == pytest.approx(min(losses))
    assert metrics["train_loss_last"] == pytest.approx(losses[-1])
    assert metrics["best_step"] == 3 * (1 + int(np.argmin(losses)))
    opening, _, written = (run / "summary.txt").read_text().partition("\n\n")
    opening = json.loads(opening)
    assert opening in TEXT.lower() and len(opening) == 7 and len(written) == 1001
    capsys.readouterr()
    greedy = [f"--run={run}", "--temperature=0", "--length=1000"]
    assert cli.run(sample.main, ["sample", *greedy]) == 0
    assert capsys.readouterr().out == opening + written


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    flags = [f"--config={CONFIG}", f"--config.data.path={folder}/text.txt", *TINY]
    assert cli.run(train.main, ["train.py", *flags, "--config.steps=3", f"--run={folder}/run"]) == 0
    return folder / "run"


def test_a_prompt_is_read_as_it_is_or_behind_a_piece_of_the_text(finished):
    _, params, task = load(finished)
    settings = {"length": 20, "temperature": 0.0, "seed": 2}
    (whole,) = task.generate(params, (task.opening(2) + "the")[-7:], **settings)
    assert task.generate(params, "the", **settings) == [whole]  # shorter than a window
    assert task.generate(params, "a dog the sat"[-7:], **settings) == task.generate(
        params, "a dog the sat", **settings
    )
    # One step by hand: the most probable symbol after the window.
    tokens = task._numbers(task.vocabulary.encode((task.opening(2) + "the")[-7:]))
    logits = task.model.apply(params, jnp.asarray(tokens)[None])
    assert task.vocabulary.decode(np.array([int(logits.argmax()) + 1])) == whole[0]


def test_symbols_of_a_prompt_that_were_not_seen(finished, capsys):
    assert cli.run(sample.main, ["sample", f"--run={finished}", "--prompt=the zoo"]) == 2
    assert "1 character(s) that this model has not seen: 'z'" in capsys.readouterr().err
    flags = [f"--run={finished}", "--prompt=the zoo", "--unseen=replace", "--length=30"]
    assert cli.run(sample.main, ["sample", *flags]) == 0
    assert "\ufffd" not in capsys.readouterr().out


def test_a_top_k_beyond_the_vocabulary_is_clamped_and_said(finished, capsys):
    def written(*flags):
        assert cli.run(sample.main, ["sample", f"--run={finished}", "--length=9", *flags]) == 0
        return capsys.readouterr()

    capsys.readouterr()
    whole, beyond = written(), written("--top_k=1000")
    assert beyond.out == whole.out and whole.err == ""
    assert beyond.err == (
        f"note: --top_k=1000: this model has {SYMBOLS} symbols to draw from; all are kept\n"
    )


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--config.data.window=60"], "has 55 characters; batch_size 1 x window 60 needs at least 61"),
        (["--config.data.valid=0.1"], "the validation part has 6 characters; window 7 needs"),
        (["--config.kneser_ney=3"], "--config.kneser_ney: not with --config.data.batches=windows"),
        (["--config.data.symbols=pieces"], "windows are of characters or bytes or words"),
        (["--config.data.targets=some"], "--config.data.targets=some: "),
        (["--config.data.targets=all", "--config.model.bidirectional"], "would see what it is to"),
        (["--config.data.batches=lanes", "--config.model.embed=3", "--config.data.targets=all"],
         "--config.data.targets=all: only with --config.data.batches=windows"),
        (["--config.data.batches=lanes"], "--config.model.embed=0: must be at least 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(file, tmp_path, capsys, flags, words):
    given = [f"--config={CONFIG}", f"--config.data.path={file}", *TINY, *flags, "--mode=check"]
    assert cli.run(train.main, ["train.py", *given, f"--run={tmp_path}/run"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]


def test_others_get_the_windows_of_each_step(tmp_path, config, monkeypatch):
    config.optimizer.learning_rate = 0.03
    monkeypatch.setattr(ours.configs, "load", lambda name: config)
    runs = ours.prepare("window_lm:alice", tmp_path, epochs=2)
    np.savez(tmp_path / "work.npz", **runs["workload"].arrays(runs["workload"].call()))
    work = workload.read(tmp_path / "work.npz")
    sizes, order = work.sizes, work.data["order"]
    assert (sizes["kind"], sizes["vocab"], sizes["targets"]) == ("windows", SYMBOLS, "last")
    assert sizes["operations"] == 6 * (20 * 7 * 4 * 6 * (1 + 6) + 20 * 6 * SYMBOLS)
    assert order.shape == (2, 3, 20) and (order < 0).sum() == 2 * (60 - 48)
    first = np.asarray(work.data["tokens"][0])[order[0, 0][:, None] + np.arange(8)]
    np.testing.assert_array_equal(work.data["batch"][0], first)
    losses = runs["epochs"].call()
    assert losses.shape == (2,) and losses[1] < losses[0]
    np.testing.assert_array_equal(runs["epochs"].call(), losses)  # from the first parameters


def test_losses_and_steps_are_shown_side_by_side():
    steps = {"ours": {"median": 0.1}, "torch": {"median": 0.2, "ratio": 2.0, "quartiles": [2, 2.1]}}
    record = {"config": "window_lm:alice", "data": "alice", "steps": steps}
    result = {"config": record, "contestants": [["ours", "ours"], ["torch", "PyTorch"]], "most": 0}
    assert "| PyTorch | 200 | 2.00 ± 0.05 |" in bench.table(result | {"epochs": 0, "losses": {}})
    losses = {"ours": [3.0, 2.5], "torch": [3.01, 2.48]}
    assert "| PyTorch | 3.0100 | 2.4800 | 0.0200 |" in bench.table(
        result | {"epochs": 2, "losses": losses}
    )


def test_the_suggestions_of_the_source_are_one_table(monkeypatch):
    monkeypatch.chdir(ROOT)
    run = {"params": 9, "train_seconds": 90.0, "metrics": {"train_loss": 1.7, "valid_loss": 1.6}}
    run["metrics"]["seconds_to_target"] = None
    names = ("window_lm:alice_many", "window_lm:christmas_carol")
    shown = compare.table("window_lm", {name: {"runs": [run]} for name in names}).splitlines()
    assert len(shown) == 2 + len(configs.variants("configs/window_lm.py"))
    (many,) = [row for row in shown if "alice_many" in row]
    assert many.endswith("| 9 | 1.7 | not reached | 1.6 | 90 s |")
    (carol,) = [
        row for row in shown if "christmas_carol" in row
    ]  # has another loss to reach, or none
    assert carol.endswith("| 9 | 1.7 | – | – | 90 s |")
    assert shown[2].endswith("| – | – | – | – | not run |")
    assert cli.run(compare.main, ["compare"]) == 2
