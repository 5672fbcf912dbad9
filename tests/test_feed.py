"""Data beyond the device: fed in blocks, the batches and the bits are those of data on the device."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from zoo import config as configs
from zoo import tasks
from zoo.data import mapped
from zoo.tasks.language_model import evaluation
from zoo.train import feed, loop, step
from zoo.train import job as jobs

CONFIG = Path(__file__).parent.parent / "configs/char_lm.py"
WAYS = {
    "lanes": {"batches": "lanes"},
    "varied": {"batches": "lanes", "vary": 2.0},
    "chunks": {"batches": "chunks"},
}


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "text.txt"
    rows = np.random.default_rng(0).choice(["ab ", "cab ", "dad ", "\n"], 200)
    file.write_text("".join(rows), encoding="utf-8")
    c = configs.load(str(CONFIG))
    c.data.path = str(file)
    c.batch_size, c.data.window, c.steps, c.epochs = 2, 5, 130, None
    c.eval_every, c.log_every = 50, 25
    c.model.update({"hidden": 6, "embed": 3, "dropout_out": 0.2})
    return c


def on_disk(task, folder, dtype=np.uint8):
    """The task, whose training part is a memory map of small integers."""
    ids = task.data("train")
    file = folder / "ids"
    ids.astype(dtype).tofile(file)
    task._tokens[0]["train"] = np.memmap(file, dtype, "r", 0, ids.shape)
    return task


@pytest.mark.parametrize("way", WAYS)
def test_batches_are_those_of_data_on_the_device(config, tmp_path, way, monkeypatch):
    monkeypatch.setattr(feed, "_STEPS", 7)  # blocks of a length that divides no epoch
    config.data.update(WAYS[way])
    job = jobs.make(config)
    task, per_epoch = job.task, job.plan.per_epoch
    orders, data = step.orders(job), jax.numpy.asarray(task.data("train"))
    job = job._replace(task=on_disk(tasks.make(config), tmp_path))
    source = feed.of(job, orders)
    assert isinstance(source, feed.Ahead)
    for i in range(2 * per_epoch + 3):
        given = source.at(i)
        assert i < given.until
        got = given.data.at(jax.numpy.int32(i))
        want = task.gather(data, feed.indices(task, per_epoch, orders(i), jax.numpy.int32(i), 0))
        for name, array in want.items():
            np.testing.assert_array_equal(got[name], array)
            assert got[name].dtype == array.dtype
    source.close()


@pytest.mark.optimised
@pytest.mark.parametrize("way", WAYS)
def test_parameters_are_the_same_bits(config, tmp_path, way, monkeypatch):
    config.data.update(WAYS[way])
    whole = loop.fit(jobs.make(config), tmp_path / "whole").record
    monkeypatch.setattr(feed, "_STEPS", 9)
    job = jobs.make(config)
    on_disk(job.task, tmp_path)
    fed = loop.fit(job, tmp_path / "fed").record
    for key in ("params_sha256", "best_sha256", "metrics"):
        assert fed[key] == whole[key]
    if way != "varied":
        return
    # From a checkpoint on, too: its step is in the middle of a block.
    for file in ("result.json", "metrics.jsonl"):
        (tmp_path / "fed" / file).unlink()
    newest = max((tmp_path / "fed/checkpoints").glob("[0-9]*"), key=lambda p: int(p.name))
    assert newest.name == "130"
    shutil.rmtree(newest)
    again = loop.fit(job, tmp_path / "fed").record
    assert again["params_sha256"] == whole["params_sha256"]


def test_a_memory_map_that_is_opened_again_has_the_same_content(tmp_path):
    ids = np.arange(1000, dtype=np.uint16)
    (tmp_path / "ids").write_bytes(b"head" * 2 + ids.tobytes())
    found = np.memmap(tmp_path / "ids", np.uint16, "r", 8, (1000,))
    tree = mapped.reopened({"ids": found, "other": ids})
    np.testing.assert_array_equal(tree["ids"], ids)
    assert tree["ids"] is not found and tree["other"] is ids
    np.testing.assert_array_equal(mapped.counts(found % 7, 8), np.bincount(ids % 7, minlength=8))
    assert json.dumps([mapped.is_mapped(t) for t in (tree, ids, ())]) == "[true, false, false]"


def test_a_long_part_is_evaluated_some_blocks_at_a_time(config, tmp_path, monkeypatch):
    config.data.valid = 0.5
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    monkeypatch.setattr(evaluation, "_LANES", 2)
    monkeypatch.setattr(evaluation, "_BLOCK", 16)
    whole = task.evaluate(params, "valid").metrics["valid_loss"]
    part = task._tokens[0]["valid"]
    part.astype(np.uint8).tofile(tmp_path / "ids")
    task._tokens[0]["valid"] = np.memmap(tmp_path / "ids", np.uint8, "r", 0, part.shape)
    assert task.evaluate(params, "valid").metrics["valid_loss"] == whole
    monkeypatch.setattr(evaluation, "_BLOCKS", 3)
    assert task.evaluate(params, "valid").metrics["valid_loss"] == pytest.approx(whole, rel=1e-6)
