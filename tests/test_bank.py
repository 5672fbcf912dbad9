"""Banks: N models as one program, which know nothing of each other."""

import shutil

import jax
import numpy as np
import pytest
from languages import builder
from reference import assert_trees_close

from zoo import random
from zoo.tasks.protocol import Evaluation
from zoo.train import bank, loop, mesh, step
from zoo.train import job as jobs


@pytest.fixture
def make(tmp_path):
    return builder(tmp_path)


def test_tiny_members_run_side_by_side_and_large_ones_one_after_the_other_on_a_cpu():
    assert jax.default_backend() == "cpu"
    assert bank.form({"w": np.zeros((32, 16, 64))}) == "vmap"
    assert bank.form({"w": np.zeros((2, 128, 512)), "b": np.zeros((2, 512))}) == "map"


def test_members_of_a_bank_are_the_same_in_both_forms_and_as_models_alone(
    make, tmp_path, monkeypatch
):
    results = {}
    for form in ("map", "vmap"):
        monkeypatch.setattr(bank, "form", lambda params, form=form: form)
        results[form] = loop.fit(jobs.make(make().config), tmp_path / form)
    assert results["map"].record["steps"] == results["vmap"].record["steps"] == 6
    for a, b in zip(*(jax.tree.leaves(r.params) for r in results.values()), strict=True):
        assert a.shape[0] == 3
        np.testing.assert_allclose(a, b, atol=1e-5)
    metrics = results["map"].record["metrics"]
    assert metrics["valid_loss"] == pytest.approx(np.mean(metrics["valid_loss_each"]))
    job = jobs.make(make().config)
    keys = jax.random.split(random.key(0, "init"), 3)
    alone = jax.jit(job.task.init)(keys[1])
    first = bank.member(step.begin(job), 1).params
    for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(first), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_each_member_keeps_its_own_best(make, tmp_path, monkeypatch):
    job = jobs.make(make(best={"metric": "valid_loss", "mode": "min"}, steps=9).config)
    values = iter([[3.0, 1.0, 2.0], [2.0, 5.0, 2.0], [4.0, 0.5, 1.0], *[[0.0, 0.0, 0.0]] * 4])
    seen = []

    def evaluate(params, split):
        if split != "valid":
            return Evaluation({}, {})
        seen.append(jax.tree.map(np.asarray, params))
        return Evaluation({"valid_loss": np.array(next(values))}, {})

    monkeypatch.setattr(job.task, "evaluate", evaluate)
    monkeypatch.setattr(job.task, "artifacts", lambda *_: None)
    result = loop.fit(job, tmp_path / "run")
    assert result.record["metrics"]["best_step_each"] == [6, 9, 9]
    for leaf, *history in zip(*map(jax.tree.leaves, (result.params, *seen[:3])), strict=True):
        for member, at in enumerate((1, 2, 2)):
            np.testing.assert_array_equal(leaf[member], history[at][member])


def test_a_bank_goes_on_from_its_checkpoint_to_the_same_bits(make, tmp_path):
    once = loop.fit(jobs.make(make().config), tmp_path / "whole")
    loop.fit(jobs.make(make().config), tmp_path / "part")
    (tmp_path / "part/result.json").unlink()
    shutil.rmtree(tmp_path / "part/checkpoints/6")
    result = loop.fit(jobs.make(make().config), tmp_path / "part")
    assert result.record["params_sha256"] == once.record["params_sha256"]


@pytest.mark.parametrize("form", ["map", "vmap"])
def test_devices_share_the_members_and_come_to_the_bits_of_one(make, tmp_path, monkeypatch, form):
    monkeypatch.setattr(bank, "form", lambda params: form)
    exact = form == "map"  # side by side, products of fewer members may be other ones
    best = {"metric": "valid_loss", "mode": "min"}
    results = {}
    for devices in (1, 3):
        job = jobs.make(make(best=best, batch_size=6, mesh__data=devices).config)
        assert mesh.shares_members(job.mesh, 3) == (devices == 3)
        results[devices] = loop.fit(job, tmp_path / f"{devices}")
    assert_trees_close(results[3].params, results[1].params, rtol=0 if exact else 1e-5)
    state = step.begin(job)
    assert {len(a.sharding.device_set) for a in jax.tree.leaves(state)} == {3}
    assert all(a.addressable_shards[0].data.shape[0] == 1 for a in jax.tree.leaves(state.params))
    if exact:
        assert results[3].record["params_sha256"] == results[1].record["params_sha256"]
        assert results[3].record["metrics"] == results[1].record["metrics"]
    (tmp_path / "3/result.json").unlink()
    shutil.rmtree(tmp_path / "3/checkpoints/6")
    job = jobs.make(make(best=best, batch_size=6, mesh__data=3).config)
    again = loop.fit(job, tmp_path / "3").record
    assert again["params_sha256"] == results[3].record["params_sha256"]


def test_members_that_devices_do_not_divide_are_trained_by_all_of_them(make):
    job = jobs.make(make(batch_size=6, mesh__data=2).config)
    assert not mesh.shares_members(job.mesh, 3)
