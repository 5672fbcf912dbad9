"""zoo.bench: what is compared takes turns, and each does the work it is said to do."""

import json
import time

import pytest

from zoo import bench, cli


def test_contestants_take_turns_and_the_first_round_is_not_timed():
    seen = []
    turns = {name: lambda name=name: (seen.append(name), time.sleep(0.001)) for name in "ab"}
    seconds = bench.in_turns(turns, 2)
    assert "".join(seen) == "ababab"
    assert all(len(each) == 2 and min(each) >= 0.001 for each in seconds.values())


def test_a_bank_beside_models_alone(capsys):
    sizes = ["--members=2", "--hidden=4", "--batch=2", "--steps=2", "--rounds=1"]
    assert cli.run(bench.main, ["bench", "bank", *sizes]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in out[3:6]] == ["| alone", "| bank, map", "| bank, vmap"]
    assert set(json.loads(out[-1])["seconds"]) == {"alone", "bank, map", "bank, vmap"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "give one of bank, predict"),
        (["bang"], "give one of bank, predict"),
        (["predict"], "--run is missing"),
        (["bank", "--members=1"], "--members=1: must be at least 2"),
    ],
)
def test_mistakes_are_told(capsys, args, message):
    assert cli.run(bench.main, ["bench", *args]) == 2
    assert message in capsys.readouterr().err
