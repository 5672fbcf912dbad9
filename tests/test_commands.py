"""The commands as users run them: what they print, and one clear line for every mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import train
from zoo import cli, sample
from zoo.runs import folder

ROOT = Path(__file__).parent.parent
CONFIG = "--config=configs/char_lm.py"
TINY = [
    "--config.model.hidden=8",
    "--config.model.embed=4",
    "--config.batch_size=4",
    "--config.data.window=8",
    "--config.steps=8",
    "--config.eval_every=4",
]


pytestmark = pytest.mark.usefixtures("at_the_root")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat ", "on ", "é ", "mat.\n"], 400)
    file.write_text("".join(words), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run(text, tmp_path_factory):
    """A finished tiny run."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    os.chdir(ROOT)
    assert cli.run(train.main, argv(f"--config.data.path={text}", f"--run={folder}", *TINY)) == 0
    return folder


def argv(*more, config=CONFIG):
    return ["train.py", config, *more]


def fails(capsys, main, argv):
    """The one line that a wrong command prints on stderr."""
    code = cli.run(main, argv)
    out, err = capsys.readouterr()
    assert code == 2, (code, out, err)
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1, err
    return err


def train_fails(capsys, tmp_path, *more, config=CONFIG):
    run = tmp_path / "run"
    err = fails(capsys, train.main, argv(f"--run={run}", *more, config=config))
    assert not (run / "result.json").exists() and not (run / "checkpoints").exists()
    return err


def test_wrong_configs_name_the_nearest(capsys, tmp_path):
    def error(*more, config=CONFIG):
        return train_fails(capsys, tmp_path, *more, config=config)

    assert "did you mean configs/char_lm.py?" in error(config="--config=configs/charlm.py")
    assert "did you mean 'alice'?" in error(config=CONFIG + ":alise")
    assert "did you mean --config.batch_size?" in error("--config.batchsize=3")
    assert "did you mean --config.model.hidden?" in error("--config.model.hiden=3")
    assert "a group of keys" in error("--config.model=3")
    assert "batch_size" in error("--config.batch_size=many")
    assert "stray argument 'alice'" in error("alice")
    assert "--rnu: no such flag; did you mean --run?" in error("--rnu=x")
    assert "--zzz: no such flag; --help lists them" in error("--zzz")
    assert "--mode=trian: must be one of train, eval, check" in error("--mode=trian")
    assert "--seeds=two: must be a whole number" in error("--seeds=two")
    assert "--overwrite=maybe: must be True or False" in error("--overwrite=maybe")
    assert "did you mean 'lstm'?" in error("--config.model.cell=lstn")
    assert "did you mean 'adamw'?" in error("--config.optimizer.name=adaw")
    plateau = "--config.optimizer.schedule=plateau"
    assert "at least 1" in error(plateau, "--config.optimizer.plateau_patience=0")
    assert "needs --config.best.metric" in error(plateau, "--config.best.metric=")
    assert "needs --config.best.metric" in error("--config.patience=2", "--config.best.metric=")
    assert "did you mean 'max'?" in error("--config.target.mode=maxx")
    assert "did you mean 'min'?" in error("--config.best.mode=minn", "--config.best.metric=")
    assert "set one of them" in error("--config.steps=3", "--config.epochs=1")
    assert "--config is missing" in fails(capsys, train.main, ["train.py"])
    apart = ["train.py", "--config", "configs/char_lm.py:alise"]
    assert "did you mean 'alice'?" in fails(capsys, train.main, apart)


@pytest.mark.parametrize(
    "key", ["batch_size", "data.window", "steps", "eval_every", "model.hidden"]
)
@pytest.mark.parametrize("value", [0, -3])
def test_sizes_of_zero_or_below_are_told(capsys, tmp_path, text, key, value):
    path = f"--config.data.path={text}"
    err = train_fails(capsys, tmp_path, path, *TINY, f"--config.{key}={value}")
    assert f"--config.{key}={value}: must be at least 1" in err


def test_texts_that_cannot_be_read_are_told(capsys, tmp_path):
    def error(name, content=None):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        return train_fails(capsys, tmp_path, f"--config.data.path={file}", *TINY)

    assert "missing.txt" in error("missing.txt")
    assert "empty" in error("empty.txt", b"")
    assert "binary" in error("binary.bin", b"ab\0c" * 999)
    assert "0xe9 at byte 6" in error("latin.txt", "Alice \xe9tait".encode("latin-1") * 99)
    assert "1 character" in error("one.txt", b"a")
    assert "a folder is several corpora" in error(".")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in error("pipe")
    assert "device" in train_fails(capsys, tmp_path, "--config.data.path=/dev/zero")


def test_texts_too_short_are_told_with_the_numbers(capsys, tmp_path):
    file = tmp_path / "short.txt"
    file.write_text("to be or not to be\n" * 10)
    path = f"--config.data.path={file}"
    sizes = ["--config.batch_size=32", "--config.data.window=64"]
    err = train_fails(capsys, tmp_path, path, *sizes)
    assert "171 characters" in err and "2080" in err  # 32 lanes of 64 + 1
    err = train_fails(capsys, tmp_path, path, *TINY, "--config.data.valid=0.01")
    assert "validation" in err and "at least 9" in err


def test_run_folders_that_cannot_be_used_are_told_before_compiling(capsys, tmp_path, text):
    file = tmp_path / "file"
    file.write_text("")
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").write_text("mine")
    for run, why in [(file, "File exists"), ("/proc/run", "cannot write"), (full, "thesis.tex")]:
        more = [f"--run={run}", f"--config.data.path={text}", *TINY]
        assert why in fails(capsys, train.main, argv(*more))
    assert [p.name for p in full.iterdir()] == ["thesis.tex"]


def test_sampling_repeats_with_its_seed_and_echoes_the_prompt(capsys, run):
    def write(*more):
        command = ["sample", f"--run={run}", "--length=30", *more]
        assert cli.run(sample.main, command) == 0
        return capsys.readouterr().out

    one = write("--prompt=the ")
    assert one.startswith("the ") and len(one) == len("the ") + 30 + 1
    assert one == write("--prompt=the ") != write("--prompt=the ", "--seed=1")
    assert write("--temperature=0") == write("--temperature=0", "--seed=5")
    assert write("--top_k=1") == write("--temperature=0") == write("--top_p=0.0001")
    several = write("--prompt=the ", "--num=3")
    assert several.count("════ sample") == 3 and one in several
    assert len(write("--prompt=thé ☃ ", "--unseen=replace")) == len("thé ☃ ") + 31


def test_sampling_mistakes_are_told(capsys, run, tmp_path):
    def error(*more, at=run):
        return fails(capsys, sample.main, ["sample", f"--run={at}", *more])

    assert "--temperature=-1.0: must be at least 0" in error("--temperature=-1")
    assert "--temperature=nan: must be at least 0" in error("--temperature=nan")
    for p in (0, -0.5, 1.5):
        assert f"--top_p={float(p)}: must be more than 0 and at most 1" in error(f"--top_p={p}")
    assert "--length=0: must be at least 1" in error("--length=0")
    assert "--prompt is empty" in error("--prompt=")
    assert "2 character(s) that this model has not seen: 'x', '☃'" in error("--prompt=xx ☃")
    assert "missing.txt" in error("--prompt_file=missing.txt")
    assert "no such folder" in error(at=tmp_path / "nothing")
    assert "no config.json" in error(at=tmp_path)
    assert "--run is missing" in fails(capsys, sample.main, ["sample"])
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.json").write_text((run / "config.json").read_text())
    assert "not finished yet" in error(at=unfinished)
    (unfinished / "config.json").write_text("{")
    assert "not JSON" in error(at=unfinished)


def test_load_gives_the_model_and_its_parameters(run):
    import jax.numpy as jnp

    import zoo

    model, params = zoo.load(run)
    _, logits = model.apply(params, jnp.zeros((2, 5), jnp.int32))
    assert logits.shape == (2, 5, model.vocab)


def test_changed_text_is_told_when_a_run_is_evaluated(capsys, tmp_path, text):
    mine = tmp_path / "mine.txt"
    mine.write_bytes(text.read_bytes())
    more = [f"--config.data.path={mine}", f"--run={tmp_path / 'run'}", *TINY]
    assert cli.run(train.main, argv(*more)) == 0
    mine.write_bytes(text.read_bytes() + b"more of it ")
    capsys.readouterr()
    assert f"{mine}: not the data that" in fails(capsys, train.main, argv(*more))
    err = fails(capsys, train.main, argv(*more, "--mode=eval"))
    assert f"{mine}: not the data that" in err
    for content in ("{", "[]", "{}"):
        (tmp_path / "run/data.json").write_text(content)
        assert "data.json is damaged; delete it" in fails(capsys, train.main, argv(*more))
    (tmp_path / "run/data.json").unlink()
    mine.write_bytes(text.read_bytes())
    assert cli.run(train.main, argv(*more)) == 0
    assert json.loads((tmp_path / "run/data.json").read_text())["digest"]


def test_steps_on_the_command_line_clear_epochs_and_the_other_way(run, tmp_path, text):
    assert folder.read_config(run).epochs is None
    assert folder.read_config(run).steps == 8
    other = tmp_path / "other"
    more = [a for a in TINY if "steps" not in a] + ["--config.epochs=0.1", f"--run={other}"]
    assert cli.run(train.main, argv(f"--config.data.path={text}", *more)) == 0
    assert folder.read_config(other).steps is None
    assert json.loads((other / "result.json").read_text())["steps"] == 4


def test_commands_run_as_programs(run):
    """As processes: help is quick to load, results go to stdout, mistakes to stderr with code 2."""

    def command(*args):
        return subprocess.run([sys.executable, *args], capture_output=True, text=True, cwd=ROOT)

    shown = command("train.py", "--help")
    assert shown.returncode == 0 and "--mode" in shown.stdout and shown.stderr == ""
    light = "import sys, train, zoo; sys.exit('jax' in sys.modules)"
    assert command("-c", light).returncode == 0
    wrong = command("train.py", "--config=configs/char_lm.py:nope")
    assert wrong.returncode == 2 and wrong.stdout == ""
    assert wrong.stderr.startswith("error: ") and wrong.stderr.count("\n") == 1
    written = command("-m", "zoo.sample", f"--run={run}", "--length=5")
    assert written.returncode == 0 and len(written.stdout) >= 5


def test_a_prompt_goes_the_way_of_the_training_text(capsys, tmp_path, text):
    run = tmp_path / "lower"
    lower = ["--config.data.lowercase", f"--config.data.path={text}", f"--run={run}", *TINY]
    assert cli.run(train.main, argv(*lower)) == 0
    capsys.readouterr()
    assert (
        cli.run(sample.main, ["sample", f"--run={run}", "--prompt=THE Cat\r\n", "--length=5"]) == 0
    )
    assert capsys.readouterr().out.startswith("THE Cat")
    assert "'x'" in fails(capsys, sample.main, ["sample", f"--run={run}", "--prompt=X"])


def test_the_value_of_another_flag_clears_no_key(monkeypatch, text, tmp_path):
    monkeypatch.chdir(tmp_path)
    rest = [a for a in TINY if "steps" not in a]
    config = f"--config={ROOT}/configs/char_lm.py"
    command = ["train.py", config, "--config.epochs=0.1", f"--config.data.path={text}", *rest]
    assert cli.run(train.main, [*command, "--run", "steps"]) == 0
    assert folder.read_config(tmp_path / "steps").epochs == 0.1


def test_a_config_of_ones_own_is_complete_or_told(capsys, tmp_path, text):
    def config(body, name="mine"):
        file = tmp_path / f"{name}.py"
        start = "from zoo.tasks.language_model.config import defaults\nVARIANTS = ('one',)\n"
        file.write_text(start + "def get_config(variant):\n    " + body)
        return f"--config={file}"

    def error(body):
        return train_fails(capsys, tmp_path, config=config(body))

    assert "get_config returned int, not a ConfigDict" in error("return 5")
    assert "mine.py, line 4: ZeroDivisionError: division by zero" in error("return 1 / 0")
    bare = (
        "from ml_collections import ConfigDict\n    return ConfigDict({'task': 'language_model'})"
    )
    assert "start from zoo.tasks.NAME.config.defaults()" in error(bare)
    (tmp_path / "none.py").write_text("def get_config(variant): pass\n")
    err = train_fails(capsys, tmp_path, config=f"--config={tmp_path}/none.py")
    assert "defines no VARIANTS" in err
    named = config("return defaults()", "nameless")
    run = tmp_path / "nameless-run"
    more = [f"--config.data.path={text}", f"--run={run}", "--config.mesh.data=1", *TINY]
    assert cli.run(train.main, argv(*more, config=named)) == 0
    result = json.loads((run / "result.json").read_text())
    assert (result["config"], result["variant"]) == ("nameless", "one")


def test_a_batch_that_leaves_devices_idle_is_told_with_the_number(capsys, text, tmp_path):
    tiny = [a for a in TINY if "batch_size" not in a]
    more = [f"--config.data.path={text}", "--config.batch_size=9", "--mode=check", *tiny]
    assert cli.run(train.main, argv(*more)) == 0
    out, err = capsys.readouterr()
    assert "note: a batch of 9 is shared by 3 of 4 devices" in err and err.count("note") == 1
    assert json.loads(out)["mesh"] == {"data": 3, "model": 1}
