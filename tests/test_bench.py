"""zoo.bench: what is compared takes turns, each does the work it is said to do, and failures are told."""

import json
import time

import numpy as np
import pytest

from zoo import cli, report
from zoo.bench import bank, command, core, large, layer_figures, problem, rounds, turns
from zoo.bench.contest import Contest, Contestant
from zoo.bench.problem import Shape

TINY = Shape(hidden=4, batch=3, steps=5, inputs=2)

# Contestants of ``core`` that compute the answer in NumPy, and spoil it or fail where they are told to.
LIBRARY = """
import os, time
from zoo.bench import problem
from zoo.bench.worker import Run

def prepare(shape, fault=""):
    print("a library that prints")
    answer = problem.solve(problem.make(problem.Shape(*shape)))
    if fault == "raises":
        raise RuntimeError("cannot\\ndo it")
    if fault == "wrong":
        answer["b"] = answer["b"] * 1.01

    def both():
        if fault == "dies":
            os._exit(3)
        time.sleep(0.001)
        return {name: a for name, a in answer.items() if name != "ys"}

    return {"forward": Run(lambda: {"ys": answer["ys"]}, dict), "both": Run(both, dict)}
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "numpy_lstm.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(tmp_path)

    def contestant(title, **options):
        return Contestant(title, "numpy_lstm", (), options)

    return {
        "right": contestant("Right"),
        "wrong": contestant("Wrong", fault="wrong"),
        "dies": contestant("Dies", fault="dies"),
        "raises": contestant("Raises", fault="raises"),
        "gone": Contestant("Gone", "numpy_lstm", ("no_such_package",)),
    }


def test_the_answer_is_that_of_finite_differences():
    given = problem.Problem(*(a.astype(np.float64) for a in problem.make(TINY)))
    answer, rng = problem.solve(given), np.random.default_rng(1)
    assert answer["ys"].shape == (5, 3, 4)

    def loss(**changed):
        return float((problem.solve(given._replace(**changed))["ys"] * given.gs).sum())

    for name in ("w_x", "w_h", "b", "xs"):
        array = getattr(given, name)
        way = rng.standard_normal(array.shape)
        up, down = (loss(**{name: array + s * 1e-5 * way}) for s in (1, -1))
        assert (up - down) / 2e-5 == pytest.approx((answer[name] * way).sum(), rel=1e-6)


def test_an_error_is_beside_the_largest_value_and_infinite_for_what_is_no_number():
    want = np.array([1.0, -4.0])
    assert problem.error(np.array([1.0, -4.4]), want) == pytest.approx(0.1)
    assert problem.error(np.array([1.0, np.nan]), want) == np.inf
    assert problem.error(np.array([1.0]), want) == np.inf


def test_a_round_is_long_enough_to_be_timed_and_long_calls_are_not_repeated():
    calls, warm = rounds.repeats(lambda n: 0.001 * n)
    assert 30 <= calls <= 40 and warm == 30
    assert rounds.repeats(lambda n: 0.4 * n) == (1, 0)
    calls, warm = rounds.repeats(lambda n: 0.4 * n, least=1.0)
    assert calls >= 3 and warm == 0


def test_a_ratio_is_the_median_of_those_of_each_round_with_its_quartiles():
    figures = rounds.summary([2.0, 4.0, 6.0, 8.0, 30.0], [2.0, 2.0, 2.0, 2.0, 3.0])
    assert (figures["median"], figures["minimum"]) == (6.0, 2.0)
    assert (figures["ratio"], figures["quartiles"]) == (3.0, [2.0, 4.0])
    assert "ratio" not in rounds.summary([1.0])
    assert rounds.geometric_mean([0.5, 2.0]) == pytest.approx(1)


def test_who_fails_is_named_and_the_others_go_on(library, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(core, "LAYERS", library)
    names, file = f"--contestants={','.join(library)}", tmp_path / "core.json"
    shapes = ["--shapes=4,3,5,2;2,1,1,1", "--rounds=2"]
    assert cli.run(command.main, ["bench", "core", *shapes, names, f"--out={file}"]) == 1
    table, told = capsys.readouterr()
    assert "Wrong, H 4, B 3, T 5, D 2: computes something else: b is off by 1.0e-02" in told
    assert told.count("its process ended with code 3") == 1  # it does not take part in the second
    assert told.count("Raises, H") == 2 and "RuntimeError: cannot\n" in told
    assert "Gone: absent, no_such_package not installed" in told
    entry = json.loads(file.read_text())
    assert entry["absent"] == {"gone": "no_such_package"}
    assert {name for name, *_ in entry["failed"]} == {"wrong", "dies", "raises"}
    for record in entry["shapes"]:
        assert list(record["modes"]["both"]) == ["right"]
        assert len(record["modes"]["both"]["right"]["seconds"]) == 2
    assert "| 4, 3, 5, 2 | forward + backward |" in table
    assert "not there: gone; failed: dies, raises, wrong" in table


def test_a_contestant_that_dies_while_it_is_timed_leaves_the_figures_of_the_others(library):
    del library["wrong"], library["raises"], library["gone"]
    with Contest(library) as held:
        held.begin("a work", {"shape": list(TINY)})
        seconds = held.seconds("both", 3)
        assert list(seconds) == ["right"] and min(seconds["right"]) >= 0.001
        assert held.failed == [
            ["dies", "a work", "its process ended with code 3: a library that prints"]
        ]
        assert held.ask("right", "time", run="nothing", repeats=1) is None
        assert held.failed[-1] == ["right", "a work", "KeyError: 'nothing'"]


def test_every_library_that_is_there_computes_the_same(tmp_path, capsys):
    file, plot = tmp_path / "core.json", tmp_path / "core.png"
    flags = ["--shapes=8,2,3,4", "--rounds=1", f"--out={file}", f"--plot={plot}"]
    assert cli.run(command.main, ["bench", "core", *flags]) == 0
    entry = json.loads(file.read_text())
    record = entry["shapes"][0]
    assert {"ours", "plain", "linen", "nnx"} <= record["errors"].keys()
    assert all(error < 1e-5 for error in record["errors"].values())
    assert record["errors"].keys() == set(core._ALL) - entry["absent"].keys()
    assert 0 < record["floor"]["forward"] < record["floor"]["both"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_floor_is_of_operations_or_of_reading_the_weights_whichever_takes_longer():
    slow_memory = {"operations_per_second": 1e12, "bytes_per_second": 1e3}
    slow_products = {"operations_per_second": 1e3, "bytes_per_second": 1e12}
    assert core.floor(TINY, "forward", slow_memory) == pytest.approx(5 * 4 * 16 * 4 / 1e3)
    operations = 5 * 3 * 2 * 16 * (4 + 2)  # a multiplication and an addition a weight, row and step
    assert core.floor(TINY, "forward", slow_products) == pytest.approx(operations / 1e3)
    assert core.floor(TINY, "both", slow_products) == pytest.approx(3 * operations / 1e3)


def result_of_a_curve(curve):
    figures = {"median": 1.0, "minimum": 1.0, "ratio": 1.0, "quartiles": [1.0, 1.0]}
    modes = {mode: {"right": figures, "other": figures} for mode in layer_figures.MODES}
    shape = {"modes": modes, "floor": {"forward": 0.5, "both": 0.5}}
    shapes = [shape | {"shape": [4, b, t, 2]} for b, t in ((1, 10), (2, 20))]
    return {
        "curve": curve,
        "contestants": [["right", "Right"], ["other", "Other"]],
        "shapes": shapes,
    }


@pytest.mark.parametrize("curve", ["length", "batch"])
def test_a_curve_is_the_cost_of_a_step_by_length_or_of_a_row_by_batch(curve, tmp_path):
    result = result_of_a_curve(curve)
    cost = layer_figures.cost(result["shapes"][1], 1.0, curve)
    assert cost == pytest.approx(1e6 / (20 if curve == "length" else 40))
    layer_figures.plot(result, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size
    assert "geometric mean" not in layer_figures.table(result)


def test_contestants_in_one_process_take_turns_and_the_first_round_is_not_timed():
    seen = []
    each = {name: lambda name=name: (seen.append(name), time.sleep(0.001)) for name in "ab"}
    seconds = turns.in_turns(each, 2)
    assert "".join(seen) == "ababab"
    assert all(len(each) == 2 and min(each) >= 0.001 for each in seconds.values())


def test_the_softmax_of_a_large_vocabulary(capsys):
    sizes = ["--words=9000", "--units=4", "--batch=50", "--window=20", "--rounds=1"]
    assert cli.run(command.main, ["bench", "softmax", *sizes]) == 0
    rows = [
        row.split(" | ") for row in capsys.readouterr().out.splitlines() if row.startswith("| ")
    ]
    assert [row[0] for row in rows[2:]] == ["| direct", "| blocks", "| adaptive", "| sampled"]
    memory = [float(row[4].strip(" |")) for row in rows[2:]]
    assert memory[0] == 1 and max(memory[1:]) < 0.7


def test_scoring_beside_writing(capsys):
    sizes = ["--hidden=4", "--characters=3000", "--rounds=1"]
    assert cli.run(command.main, ["bench", "score", *sizes]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line[:2] == "| "]
    assert [row[0] for row in rows[2:]] == [
        "| lines",
        "| bfloat16",
        "| products",
        "| whole",
        "| write",
    ]
    assert rows[-1][2] == "1.00 |"


def test_a_large_text_is_trained_on_beside_a_small_one(capsys, monkeypatch):
    def trained(folder, text, in_memory, steps):
        size = text.stat().st_size
        assert text.read_text("ascii") and (size, in_memory, steps) in (
            (1_000_000, 10**9, 30),
            (1_000_000, 0, 30),
            (3_000_000, 0, 30),
        )
        return size * 1e-8, 1024 * (300 + (in_memory > 0))

    monkeypatch.setattr(large, "_trained", trained)
    sizes = ["--megabytes=3", "--small=1", "--steps=30", "--rounds=2"]
    assert cli.run(command.main, ["bench", "large", *sizes]) == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("| ")]
    assert rows[2] == "| in memory | 10.00 | 1.00 ± 0.00 | – | 301 |"
    assert rows[4] == "| the large one | 30.00 | 3.00 ± 0.00 | 300 | 300 |"


def test_a_bank_beside_models_alone(capsys):
    sizes = ["--members=2", "--hidden=4", "--batch=2", "--steps=2", "--rounds=1"]
    assert cli.run(command.main, ["bench", "bank", *sizes]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == ["alone", "bank, map", "bank, vmap"]
    assert rows[0][3] == "1 |"


def test_a_saved_result_stands_in_the_reference_beside_those_of_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/reference.json").write_text("{}")
    each = {"slow": lambda: time.sleep(0.02), "fast": lambda: time.sleep(0.001)}
    monkeypatch.setattr(bank, "main", lambda values: (turns.entry(each, 3, 5, "steps"), 0))
    assert cli.run(command.main, ["bench", "bank", "--save"]) == 0
    shown = capsys.readouterr().out.strip()
    entries = json.loads((tmp_path / "runs/reference.json").read_text())
    assert entries["zoo.bench bank"]["command"] == "python -m zoo.bench bank --save"
    assert report.speeds(entries) == report.tables(entries) == shown


def test_a_saved_result_of_core_keeps_medians_without_rounds(
    library, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(core, "LAYERS", {"right": library["right"], "also": library["right"]})
    monkeypatch.chdir(tmp_path)
    flags = ["--shapes=4,3,5,2", "--rounds=1", "--contestants=right,also", "--save"]
    assert cli.run(command.main, ["bench", "core", *flags]) == 0
    shown = capsys.readouterr().out.strip()
    entries = json.loads((tmp_path / "runs/reference.json").read_text())
    figures = entries["zoo.bench core"]["shapes"][0]["modes"]["both"]["also"]
    assert set(figures) == {"median", "minimum", "ratio", "quartiles"}
    assert report.tables(entries) == shown
    tables = [[line.count("|") for line in part.splitlines()] for part in shown.split("\n\n")]
    assert [len(set(bars)) for bars in tables] == [1, 1, 1]
    cells = [line[1:-1].split("|") for line in shown.split("\n\n")[1].splitlines()]
    assert all(cell.strip() for row in cells for cell in row)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "give one of core, step, windows, sample, score, bank, predict, softmax, large"),
        (["bang"], "give one of core, step, windows, sample, score, bank, predict, softmax, large"),
        (
            ["predict"],
            "--run is missing: the folder of a finished run of language_detection or class",
        ),
        (["large", "--megabytes=900000000"], "MB free, 1,800,000,"),
        (["bank", "--members=1"], "--members=1: must be at least 2"),
        (["core", "--contestants=torhc"], "--contestants=torhc: did you mean 'torch'?"),
        (["core", "--rounds=0"], "--rounds=0: must be at least 1"),
        (["core", "--shapes=8,0,3,4"], "--shapes: '8,0,3,4' is no shape"),
        (["core", "--shapes=8,2,3"], "--shapes: '8,2,3' is no shape"),
        (["core", "--quick", "--memory"], "give one of"),
        (["core", "--curve=width"], "curve"),
        (["core", "--beside=/nowhere"], "--beside=/nowhere: no checkout"),
        (["core", "--out=/nowhere/core.json"], "--out=/nowhere/core.json: there is no such folder"),
        (["core", "stray"], "stray argument 'stray'"),
        (["step", "--rounds=0"], "--rounds=0: must be at least 1"),
        (["step", "--configs=char_ml:docs"], "--configs=char_ml:docs"),
        (["step", "--contestants=torch"], "ours must be among them"),
        (["sample", "--layers=1,0"], "--layers=1,0: must be whole numbers above 0"),
        (["sample", "--length=1"], "--length=1: must be at least 2"),
    ],
)
def test_mistakes_are_told_in_one_line(capsys, args, message):
    assert cli.run(command.main, ["bench", *args]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("name", ["", *command.BENCHES])
def test_help_says_what_is_compared(capsys, name):
    assert cli.run(command.main, ["bench", *filter(None, [name]), "--help"]) == 0
    assert "python -m zoo.bench" in capsys.readouterr().out
