"""CONTRIBUTING.md does what it says: its files, as they stand there, through the real commands."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.tasks import protocol

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w/.]+\.py)`: .*?\n\n?```python\n(.*?)```", TEXT, re.DOTALL | re.M))
FEW = ["--config.steps=2000", "--config.eval_every=200", "--config.checkpoint_every=200"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with the files of the page in it, and the row of the new cell; nothing else is new."""
    folder = tmp_path_factory.mktemp("checkout")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("zoo", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "train.py", folder)
    for name, content in FILES.items():
        file = folder / name
        assert not file.exists(), f"{name} is there already"
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, encoding="utf-8")
    cells = folder / "zoo/cells/__init__.py"
    row = re.search(r'is `("light_gru": light_gru,)`', TEXT)[1]
    content = cells.read_text().replace("CELLS = {", f"CELLS = {{\n    {row}")
    cells.write_text(
        content.replace("CELLS = {", "from zoo.cells.light_gru import light_gru\n\nCELLS = {")
    )
    return folder


def start(checkout, *args):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *args], cwd=checkout, text=True, **pipes)


def run(checkout, *args, stdin=""):
    process = start(checkout, *args)
    out, err = process.communicate(stdin)
    assert process.returncode == 0, err
    return out


def test_the_files_are_as_short_as_the_page_says():
    lines = {
        name.rpartition("/")[2]: sum(1 for line in content.splitlines() if line.strip())
        for name, content in FILES.items()
    }
    assert lines.pop("task.py") <= 65  # that are not blank
    assert set(lines) == {"config.py", "predict.py", "adding.py", "light_gru.py"}
    assert max(lines.values()) <= 25
    for content in FILES.values():
        assert "from zoo.train" not in content and "from zoo.runs" not in content


def test_a_task_that_lacks_a_method_is_told_which():
    class Half(protocol.Task):
        def init(self, key):
            return ()

    with pytest.raises(TypeError, match=r"abstract methods.*data.*evaluate.*gather.*loss"):
        Half(None)


def test_a_task_of_ones_own_trains_is_killed_goes_on_is_evaluated_and_predicts(checkout):
    command = ["train.py", "--config=configs/adding.py", *FEW]
    run(checkout, *command, "--run=runs/whole")
    process = start(checkout, *command, "--run=runs/killed")
    deadline = time.monotonic() + 60
    while not list(checkout.glob("runs/killed/checkpoints/[0-9]*")):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (checkout / "runs/killed/result.json").exists()
    run(checkout, *command, "--run=runs/killed")
    whole, killed = (
        json.loads((checkout / f"runs/{name}/result.json").read_text())
        for name in ("whole", "killed")
    )
    assert killed["best_sha256"] == whole["best_sha256"]
    assert killed["metrics"] == whole["metrics"]
    assert whole["metrics"]["test_mse"] < 0.02  # 0.167 for always 1
    metrics = json.loads(run(checkout, *command, "--run=runs/whole", "--mode=eval"))
    assert metrics["test_mse"] == whole["metrics"]["test_mse"]
    line = "0.5 0.25* 0.9 0.1 0.7 0.3 0.2 0.6 0.125* 0.4\n"
    (row,) = run(checkout, "-m", "zoo.predict", "--run=runs/whole", stdin=line).splitlines()
    assert json.loads(row)["sum"] == pytest.approx(0.375, abs=0.3)


def test_a_cell_of_ones_own_is_a_row_away_from_every_task(checkout):
    few = ["--config.model.cell=light_gru", "--config.steps=20", "--config.eval_every=20"]
    run(checkout, "train.py", "--config=configs/adding.py", *few, "--run=runs/light")
    tiny = ["--config.model.hidden=4", "--config.ensemble.members=1", "--config.baselines=naive"]
    run(checkout, "train.py", "--config=configs/forecast.py", *few, *tiny, "--run=runs/forecast")
    command = [sys.executable, "-c", GRADIENT]
    assert subprocess.run(command, cwd=checkout).returncode == 0


GRADIENT = """
import jax, jax.numpy as jnp, numpy as np
from zoo.cells import CELLS
from zoo.unroll import unroll
cell = CELLS["light_gru"]()
params = cell.init(jax.random.key(0), 3, 4)
xs = jax.random.normal(jax.random.key(1), (5, 2, 3))
def loss(params, gradient):
    return unroll(cell, params, xs, gradient=gradient)[1].sum()
own, plain = (jax.grad(loss)(params, g) for g in ("custom", "plain"))
for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(plain)):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
"""
