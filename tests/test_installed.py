"""The zoo without its checkout: one command, and the configs that come with it."""

import signal
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import train
from zoo import __main__ as commands
from zoo import config, trainer
from zoo.errors import UserError

ROOT = Path(__file__).parent.parent


def zoo(capsys, monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["zoo", *argv])
    before = signal.getsignal(signal.SIGINT)
    try:
        return commands.main(), *capsys.readouterr()
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_command_zoo_is_each_of_the_commands(capsys, monkeypatch):
    assert train.main is trainer.main
    for name in commands.COMMANDS:
        code, out, _ = zoo(capsys, monkeypatch, name, "--help")
        assert code == 0 and "flags:" in out, name
    for none in ([], ["--help"]):
        code, out, _ = zoo(capsys, monkeypatch, *none)
        assert code == 0 and all(f"  {name} " in out for name in commands.COMMANDS)
    assert zoo(capsys, monkeypatch, "trian") == (
        2,
        "",
        f"error: no command 'trian': did you mean 'train'? There are {', '.join(commands.COMMANDS)}\n",
    )
    code, _, err = zoo(capsys, monkeypatch, "sample")
    assert code == 2 and err.startswith("error: --run is missing")


def test_configs_come_with_it(tmp_path, monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["data-files"] == {
        "share/lstm-zoo/configs": ["configs/*.py"]
    }
    assert project["project"]["scripts"] == {"zoo": "zoo.__main__:main"}
    monkeypatch.chdir(tmp_path)
    here = config.load("configs/char_lm.py:alice")  # beside the package, of a checkout
    assert config.to_json(config.load("char_lm:alice")) == config.to_json(here)
    (tmp_path / "elsewhere/zoo").mkdir(parents=True)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "data"))
    monkeypatch.setattr(config, "__file__", str(tmp_path / "elsewhere/zoo/config.py"))
    with pytest.raises(UserError, match=r"no such file$"):
        config.load("char_lm")
    installed = tmp_path / "data/share/lstm-zoo/configs"
    installed.mkdir(parents=True)
    (installed / "char_lm.py").write_text((ROOT / "configs/char_lm.py").read_text())
    assert config.to_json(config.load("char_lm:alice")) == config.to_json(here)
    with pytest.raises(UserError, match=r"did you mean configs/char_lm\.py"):
        config.load("char_ml")


def test_help_comes_before_jax(tmp_path):
    code = "import sys; from zoo.__main__ import main; sys.argv = ['zoo', '--help']; main(); "
    code += "assert 'jax' not in sys.modules and 'flax' not in sys.modules"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
