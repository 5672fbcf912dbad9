"""zoo.bench: what is compared takes turns, and each does the work it is said to do."""

import json
import time

import pytest

from zoo import bench, cli, report


def test_contestants_take_turns_and_the_first_round_is_not_timed():
    seen = []
    turns = {name: lambda name=name: (seen.append(name), time.sleep(0.001)) for name in "ab"}
    seconds = bench.in_turns(turns, 2)
    assert "".join(seen) == "ababab"
    assert all(len(each) == 2 and min(each) >= 0.001 for each in seconds.values())


def test_a_bank_beside_models_alone(capsys):
    sizes = ["--members=2", "--hidden=4", "--batch=2", "--steps=2", "--rounds=1"]
    assert cli.run(bench.main, ["bench", "bank", *sizes]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == ["alone", "bank, map", "bank, vmap"]
    assert rows[0][3] == "1 |"


def test_a_saved_result_stands_in_the_reference_beside_those_of_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/reference.json").write_text("{}")
    turns = {"slow": lambda: time.sleep(0.02), "fast": lambda: time.sleep(0.001)}
    monkeypatch.setitem(bench.BENCHES, "bank", lambda values: (turns, 5, "steps"))
    assert cli.run(bench.main, ["bench", "bank", "--save"]) == 0
    shown = capsys.readouterr().out.strip()
    entry = json.loads((tmp_path / "runs/reference.json").read_text())["zoo.bench bank"]
    assert entry["command"] == "python -m zoo.bench bank --save"
    assert report.speeds({"bank": entry}) == shown
    assert report.tables({"zoo.bench bank": entry}) == report.speeds({"zoo.bench bank": entry})


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
