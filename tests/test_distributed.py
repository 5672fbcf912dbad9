"""--distributed: processes that train one model together."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import train
from zoo import cli
from zoo.runs import folder

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("at_the_root")


@pytest.fixture
def keys(text):
    tiny = [
        "model.hidden=6",
        "model.embed=4",
        "batch_size=4",
        "data.window=8",
        "eval_every=10",
        "log_every=5",
    ]
    tiny += ["optimizer.schedule=constant", "optimizer.warmup_steps=0", "kneser_ney=0", "mix=False"]
    tiny += ["patience=0", "minutes=0", "adapt=False", f"data.path={text}"]
    return ["--config=configs/char_lm.py", *(f"--config.{key}" for key in tiny)]


def together(*each):
    """[(exit code, stdout, stderr)] of processes with these arguments, each with one device."""
    try:
        socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        pytest.skip("the name of this machine has no address")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"--coordinator=127.0.0.1:{free.getsockname()[1]}"
    flags = [f for f in os.environ["XLA_FLAGS"].split() if "device_count" not in f]
    env = os.environ | {"XLA_FLAGS": " ".join(flags)}
    all_of_them = ["--distributed", place, f"--processes={len(each)}"]
    started = [
        subprocess.Popen(
            [sys.executable, "train.py", *words, *all_of_them, f"--process={i}"],
            env=env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i, words in enumerate(each)
    ]
    return [(p.returncode, out, err) for p, (out, err) in [(p, p.communicate()) for p in started]]


@pytest.mark.parametrize("size", [1, 2])
def test_two_processes_go_on_to_the_bits_of_two_devices(keys, tmp_path, size):
    """They share the batch, and of an ensemble the models."""
    run, alone = tmp_path / "run", tmp_path / "alone"
    keys = [*keys, f"--config.model.ensemble={size}"]
    words = [*keys, f"--run={run}"]
    for steps in (10, 20):
        (code, out, err), (other, nothing, quiet) = together(
            *[[*words, f"--config.steps={steps}"]] * 2
        )
        assert (code, other) == (0, 0), err + quiet
        assert '"valid_loss"' in out and f"step {steps}/{steps}" in err
        assert '"valid_loss"' not in nothing and "step" not in quiet
    assert f"going on from step 10 in {run}" in err
    words = [*keys, f"--run={alone}", "--config.steps=20", "--config.mesh.data=2"]
    assert cli.run(train.main, ["train.py", *words]) == 0
    result, whole = folder.read_result(run), folder.read_result(alone)
    for key in ("params_sha256", "best_sha256", "metrics"):
        assert result[key] == whole[key], key
    assert result["devices"] == 2


def test_processes_with_other_settings_are_told_on_all(keys, tmp_path):
    words = [*keys, f"--run={tmp_path / 'run'}", "--config.steps=10"]
    for code, out, err in together(words, [*words, "--config.seed=1"]):
        assert code == 2 and not out
        assert "error: --distributed: process 1 has other settings than process 0\n" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--process=1"], "--process=1: goes with --distributed"),
        (["--distributed", "--seeds=2"], "--seeds=2: not with --distributed"),
        (["--distributed", "--mode=eval"], "--mode=eval: not with --distributed"),
        (
            ["--distributed", "--processes=2"],
            "give --coordinator, --processes and --process, or none",
        ),
        (
            ["--distributed", "--coordinator=a:1", "--processes=2", "--process=2"],
            "--process=2: must be from 0 to 1",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(keys, capsys, flags, message):
    assert cli.run(train.main, ["train.py", *keys, *flags]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_a_machine_whose_name_has_no_address_is_told(keys, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "no.such.name.invalid")
    given = ["--distributed", "--coordinator=127.0.0.1:1", "--processes=2", "--process=1"]
    assert cli.run(train.main, ["train.py", *keys, f"--run={tmp_path / 'run'}", *given]) == 2
    err = capsys.readouterr().err
    assert "'no.such.name.invalid', has no address; add it to /etc/hosts" in err


def test_corpora_are_not_trained_so(capsys):
    assert cli.run(train.main, ["train.py", "--config=configs/corpora.py", "--distributed"]) == 2
    assert "--distributed: not of the task 'corpora'" in capsys.readouterr().err
